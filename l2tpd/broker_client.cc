#include "l2tpd/broker_client.h"

#include <cstdlib>

#include "base/event_log.h"

namespace l2tpd {
namespace {

/// Without it nothing can be done here, not even say goodbye; it cleans up, or its successor does.
[[noreturn]] void end(const char* why) {
  base::log(base::Severity::error, why);
  std::_Exit(1);
}

/// Both buffers of the channel have room for so many, and for one of the longest beside them.
constexpr std::size_t most_unanswered = 16, most_unanswered_bytes = 32 * 1024;

}  // namespace

void BrokerClient::send(const Request& request) {
  const auto bytes = encode(request);
  if (!channel_.send(bytes.view())) end("the privileged process has gone");
  ++unanswered_;
  unanswered_bytes_ += bytes.size();
}

BrokerClient::Answered BrokerClient::receive() {
  auto message = channel_.receive();
  if (!message) end("the privileged process has gone");
  auto answer = decode_answer(message->bytes.view());
  if (!answer) end("what the privileged process answers is no answer");
  --unanswered_;
  return {std::move(*answer), std::move(message->descriptors)};
}

BrokerClient::Answered BrokerClient::ask(const Request& request) {
  send(request);
  while (unanswered_ > 1) receive();
  unanswered_bytes_ = 0;
  return receive();
}

void BrokerClient::tell(const Request& request) {
  send(request);
  if (unanswered_ >= most_unanswered || unanswered_bytes_ >= most_unanswered_bytes) wait();
}

void BrokerClient::wait() {
  while (unanswered_ > 0) receive();
  unanswered_bytes_ = 0;
}

std::optional<base::Fd> BrokerClient::open(const l2tp::OpenTunnelSocket& request) {
  auto answered = ask(request);
  if (answered.descriptors.size() != 1) return std::nullopt;
  return std::move(answered.descriptors.front());
}

template <class Wanted>
Wanted BrokerClient::ask_for(const Request& request) {
  auto answered = ask(request);
  auto* wanted = std::get_if<Wanted>(&answered.answer);
  if (wanted == nullptr) end("the privileged process answers something else than it was asked");
  return std::move(*wanted);
}

std::vector<Order> BrokerClient::fetch_orders() { return ask_for<Orders>(FetchOrders{}).orders; }

std::vector<l2tp::Digest> BrokerClient::digests(const std::vector<l2tp::AroundSecret>& around) {
  return ask_for<Digests>(DigestWithSecret{around}).digests;
}

}  // namespace l2tpd
