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

}  // namespace

BrokerClient::Answered BrokerClient::ask(const Request& request) {
  if (!channel_.send(encode(request).view())) end("the privileged process has gone");
  auto message = channel_.receive();
  if (!message) end("the privileged process has gone");
  auto answer = decode_answer(message->bytes.view());
  if (!answer) end("what the privileged process answers is no answer");
  return {std::move(*answer), std::move(message->descriptors)};
}

void BrokerClient::tell(const Request& request) { (void)ask(request); }

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
