#include "l2tp/tunnel.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "l2tp/secrecy.h"

namespace l2tp {
namespace {

constexpr std::uint16_t version_1_0 = 0x0100;
constexpr std::uint32_t sync_and_async_framing = 3;

/// What a peer says of itself, fit for a log: without Apple's closing NUL, printable, of a sane length.
std::string readable(const std::optional<ByteView>& text) {
  std::string out(text ? base::as_text(*text) : std::string_view());
  while (!out.empty() && out.back() == '\0') out.pop_back();
  if (out.size() > 64) out.resize(64);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return out;
}

bool belongs_to_a_call(MessageType type) {
  const auto number = static_cast<std::uint16_t>(type);
  return number >= static_cast<std::uint16_t>(MessageType::OCRQ) &&
         number <= static_cast<std::uint16_t>(MessageType::SLI);
}

std::string words_of(const std::optional<Ending>& ending) {
  if (!ending) return "the peer closed it without a reason";
  return fmt::format("the peer closed it (result {}, error {}{}{})", ending->code, ending->error,
                     ending->message.empty() ? "" : ": ", readable(base::as_bytes(ending->message)));
}

/// The reason to refuse this SCCRQ, if there is one.
std::optional<Ending> objection(const Message& sccrq, const Settings& settings) {
  if (sccrq.fault) return stop(StopResult::general_error, sccrq.fault->sentence(), sccrq.fault->error);
  if (!sccrq.assigned_tunnel_id || sccrq.assigned_tunnel_id->value == 0)
    return stop(StopResult::general_error, "no Assigned Tunnel ID", GeneralError::value_out_of_range);
  if (sccrq.protocol_version && *sccrq.protocol_version >> 8 != version_1_0 >> 8) {
    // §4.4.2: the error code tells the highest version we speak.
    return Ending{static_cast<std::uint16_t>(StopResult::version_not_supported), version_1_0,
                  "L2TP version 1 is spoken here"};
  }
  if (sccrq.receive_window_size == 0)
    return stop(StopResult::general_error, "a Receive Window Size of zero", GeneralError::value_out_of_range);
  if (sccrq.challenge && sccrq.challenge->empty())
    return stop(StopResult::general_error, "an empty Challenge", GeneralError::value_out_of_range);
  if (sccrq.challenge && !settings.secret)
    return stop(StopResult::not_authorized, "tunnel authentication is not configured here");
  return std::nullopt;
}

}  // namespace

Tunnel::Tunnel(TunnelName name, const Message& sccrq, base::Time now, Surroundings& with)
    : name_(name),
      with_(with),
      channel_(with.settings.receive_window),
      host_name_(readable(sccrq.host_name)),
      vendor_name_(readable(sccrq.vendor_name)),
      since_(now) {
  channel_.set_peer(name.peer, sccrq.receive_window_size.value_or(4));
}

std::optional<Tunnel::Digest> Tunnel::digest_of(ByteView body) {
  Digest out;
  if (EVP_Digest(body.data(), body.size(), out.data(), nullptr, EVP_sha256(), nullptr) != 1)
    return std::nullopt;
  return out;
}

void Tunnel::accept(const Header& header, const Message& sccrq, base::Time now) {
  sccrq_ = digest_of(header.body);
  state_ = lookup(TunnelState::idle, MessageType::SCCRQ).next;
  give_up_ = now + with_.settings.setup_time;
  channel_.receive(header, now);
  channel_.next_message();  // the SCCRQ itself, decoded already
  if (const auto refusal = objection(sccrq, with_.settings)) {
    close(*refusal, now);
  } else {
    answer_SCCRQ(sccrq, now);
  }
  flush();
}

void Tunnel::refuse(const Header& header, const Ending& ending, base::Time now) {
  channel_.receive(header, now);
  close(ending, now);
}

void Tunnel::answer_SCCRQ(const Message& sccrq, base::Time now) {
  Message sccrp;
  sccrp.type = MessageType::SCCRP;
  sccrp.protocol_version = version_1_0;
  sccrp.framing_capabilities = sync_and_async_framing;
  sccrp.host_name = base::as_bytes(with_.settings.host_name);
  sccrp.vendor_name = base::as_bytes(with_.settings.vendor_name);
  sccrp.assigned_tunnel_id = name_.id;
  sccrp.receive_window_size = with_.settings.receive_window;
  const auto& secret = with_.settings.secret;
  std::optional<Bytes> response;
  if (secret) {
    while (challenge_.size() < challenge_size)
      challenge_.push_back(static_cast<std::uint8_t>(with_.random()));
    sccrp.challenge = challenge_;
    if (sccrq.challenge) response = challenge_response(MessageType::SCCRP, secret, *sccrq.challenge);
    if (response) sccrp.challenge_response = *response;
  }
  send(sccrp, SessionId(), now);
}

void Tunnel::accept_SCCCN(const Message& scccn, base::Time now) {
  if (const auto& secret = with_.settings.secret) {
    const auto right = challenge_response(MessageType::SCCCN, secret, challenge_);
    if (!right || !scccn.challenge_response ||
        !base::same_in_constant_time(*right, *scccn.challenge_response)) {
      close(stop(StopResult::not_authorized, scccn.challenge_response
                                                 ? "the tunnel's secret is another one here"
                                                 : "the tunnel's secret is asked for here"),
            now);
      return;
    }
  }
  state_ = lookup(state_, MessageType::SCCCN).next;
  established_at_ = now;
  give_up_.reset();
  await_silence(now);
  await_call(now);
  // The latch stands before the kernel takes data for the id it admits.
  has_socket_ = true;
  with_.effects.push_back(OpenTunnelSocket{name_});
  with_.effects.push_back(AddLatch{name_});
  with_.effects.push_back(KernelTunnelUp{name_, host_name_});
}

void Tunnel::receive(const Header& header, base::Time now) {
  switch (channel_.receive(header, now)) {
    case Arrival::in_window: break;
    case Arrival::duplicate: with_.counters.count(DropReason::duplicate); break;
    // Its acknowledgement counts all the same.
    case Arrival::outside_window: with_.counters.count(DropReason::outside_window); break;
    case Arrival::bad_ack: with_.counters.count(DropReason::bad_ack); return;
  }
  if (state_ == TunnelState::established) await_silence(now);
  while (!over_ && !channel_.failed()) {
    const auto message = channel_.next_message();
    if (!message) break;
    handle(*message, now);
  }
  // At once, not some time later: Android sends its ICRQ only when the ZLB for its SCCCN has come.
  channel_.acknowledge();
  flush();
  if (channel_.failed()) {
    abandon("the peer does not take our answers");
    return;
  }
  // Our StopCCN has arrived, and everything before it: nobody waits for anything any more.
  if (state_ == TunnelState::closing && !lingering_ && channel_.all_acknowledged())
    take_down(Farewell::with_StopCCN, {}, now);
}

void Tunnel::await_silence(base::Time now) {
  if (with_.settings.hello_interval > base::Duration::zero()) hello_ = now + with_.settings.hello_interval;
}

void Tunnel::await_call(base::Time now) {
  if (name_.mark.value == 0 && sessions_.empty()) give_up_ = now + with_.settings.clear_text_idle;
}

void Tunnel::repeat_answer() {
  channel_.repeat();
  flush();
}

void Tunnel::handle(const Received& received, base::Time now) {
  const auto body = reveal_all(received.body, with_.settings.secret);
  const auto message = decode(body);
  const auto known = std::ranges::find(all_message_types, message.type) != all_message_types.end();
  if (!known && !message.fault && !message.type_is_mandatory) return;  // §4.4.1
  if (state_ != TunnelState::closing && message.type != MessageType::StopCCN &&
      message.type != MessageType::CDN && (message.fault || !known)) {
    handle_fault(message, received, now);
    return;
  }
  const auto row = lookup(state_, message.type);
  switch (row.step) {
    case TunnelStep::accept_SCCCN: accept_SCCCN(message, now); break;
    case TunnelStep::stop:
      close(stop(StopResult::fsm_error, to_string(message.type) + " out of place"), now);
      break;
    case TunnelStep::clean_up: take_down(Farewell::acknowledge_only, words_of(message.result), now); break;
    case TunnelStep::to_session: handle_call(message, received.session, now); break;
    case TunnelStep::accept_SCCRQ:  // comes to tunnel id zero and never here
    case TunnelStep::acknowledge:
    case TunnelStep::drop: break;
  }
}

void Tunnel::handle_fault(const Message& message, const Received& received, base::Time now) {
  const auto words =
      message.fault ? message.fault->sentence() : to_string(message.type) + " is not understood";
  const auto error = message.fault ? message.fault->error : GeneralError::value_out_of_range;
  if (state_ != TunnelState::established || !belongs_to_a_call(message.type)) {
    close(stop(StopResult::general_error, words, error), now);
    return;
  }
  // §4.1: an unknown mandatory AVP ends the session it concerns, not the tunnel.
  const auto ending = hang_up(CallResult::general_error, words, error);
  if (auto* session = find_session(message, received.session)) {
    end_session(session->name().id, &ending, words, now);
  } else if (message.assigned_session_id) {
    refuse_call(message, ending, now);
  }
}

Session* Tunnel::find_session(const Message& message, SessionId to) {
  if (const auto it = sessions_.find(to); it != sessions_.end()) return &it->second;
  if (to.value != 0 || !message.assigned_session_id) return nullptr;
  // §5.4: a peer that does not know our id yet names the call by its own.
  for (auto& [id, session] : sessions_) {
    if (session.name().peer == *message.assigned_session_id) return &session;
  }
  return nullptr;
}

void Tunnel::handle_call(const Message& message, SessionId to, base::Time now) {
  auto* session = find_session(message, to);
  if (session == nullptr) {
    const auto row = lookup(CallState::idle, message.type);
    if (row.step == CallStep::accept_ICRQ) {
      accept_ICRQ(message, now);
    } else if (row.step == CallStep::refuse) {
      refuse_call(message, hang_up(CallResult::no_facilities, "this server places no calls"), now);
    } else {
      with_.counters.count(DropReason::no_such_session);
    }
    return;
  }
  const auto name = session->name();
  switch (session->receive(message, now)) {
    case CallStep::accept_ICCN:
      with_.effects.push_back(StartSession{name_, name, session->sequencing()});
      break;
    case CallStep::hang_up: {
      const auto ending = hang_up(CallResult::general_error, to_string(message.type) + " out of place");
      end_session(name.id, &ending, ending.message, now);
      break;
    }
    case CallStep::clean_up: end_session(name.id, nullptr, words_of(message.result), now); break;
    case CallStep::accept_ICRQ:
    case CallStep::refuse:
    case CallStep::acknowledge: break;
  }
}

void Tunnel::accept_ICRQ(const Message& icrq, base::Time now) {
  if (!icrq.assigned_session_id || icrq.assigned_session_id->value == 0) {
    with_.counters.count(DropReason::no_such_session);
    return;
  }
  if (sessions_.size() >= with_.settings.limits.sessions_per_tunnel) {
    refuse_call(icrq, hang_up(CallResult::no_facilities_now, "too many calls in this tunnel"), now);
    return;
  }
  const SessionName name{new_session_id(), *icrq.assigned_session_id};
  sessions_.emplace(name.id, Session(name, now, now + with_.settings.setup_time));
  give_up_.reset();
  Message icrp;
  icrp.type = MessageType::ICRP;
  icrp.assigned_session_id = name.id;
  send(icrp, name.peer, now);
}

void Tunnel::refuse_call(const Message& request, const Ending& ending, base::Time now) {
  if (!request.assigned_session_id || request.assigned_session_id->value == 0) return;
  send_CDN({new_session_id(), *request.assigned_session_id}, ending, now);
  with_.effects.push_back(CallRefused{name_, ending.message});
}

void Tunnel::session_ended(SessionId session, const Ending& ending, base::Time now) {
  if (!sessions_.contains(session)) return;
  const auto name = sessions_.at(session).name();
  sessions_.erase(session);
  await_call(now);
  send_CDN(name, ending, now);
  flush();
}

void Tunnel::end_session(SessionId id, const Ending* ending, std::string why, base::Time now) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  const auto name = it->second.name();
  sessions_.erase(it);
  await_call(now);
  if (ending != nullptr) send_CDN(name, *ending, now);
  with_.effects.push_back(StopSession{name_, name, std::move(why)});
}

void Tunnel::close(const Ending& ending, base::Time now) {
  if (state_ == TunnelState::closing || over_) return;
  // The sessions go before the words do, or PPP would still speak into a closed tunnel.
  while (!sessions_.empty()) end_session(sessions_.begin()->first, nullptr, ending.message, now);
  state_ = TunnelState::closing;
  hello_.reset();
  give_up_.reset();  // the channel's patience is the limit
  if (!speaks_unasked()) give_up_ = now + with_.settings.linger;
  Message stop_ccn;
  stop_ccn.type = MessageType::StopCCN;
  stop_ccn.result = ending;
  stop_ccn.assigned_tunnel_id = name_.id;
  channel_.send_last(encode(stop_ccn), now);
  flush();
  report_down(ending.message, ending);
}

void Tunnel::abandon(std::string why) {
  if (over_) return;
  while (!sessions_.empty()) end_session(sessions_.begin()->first, nullptr, why, since_);
  release();
  report_down(std::move(why));
  over_ = true;
}

void Tunnel::forget() { over_ = true; }

void Tunnel::report_down(std::string why, std::optional<Ending> stop) {
  // In clear text anybody could fill the log with tunnels that come to nothing.
  if (!reported_down_ && speaks_unasked())
    with_.effects.push_back(TunnelDown{name_, std::move(why), std::move(stop), established_at_.has_value()});
  reported_down_ = true;
}

void Tunnel::release() {
  if (!has_socket_) return;
  with_.effects.push_back(CloseTunnelSocket{name_});
  with_.effects.push_back(RemoveLatch{name_});
  has_socket_ = false;
}

void Tunnel::take_down(Farewell farewell, const std::string& why, base::Time now) {
  if (farewell == Farewell::with_StopCCN) {
    abandon(why);
    return;
  }
  // §5.7: a lost acknowledgement makes the peer repeat its StopCCN, so somebody has to be there.
  while (!sessions_.empty()) end_session(sessions_.begin()->first, nullptr, why, now);
  state_ = TunnelState::closing;
  hello_.reset();
  give_up_ = now + with_.settings.linger;
  channel_.acknowledge();
  flush();
  release();
  lingering_ = true;
  report_down(why);
}

void Tunnel::timeout(base::Time now) {
  if (over_) return;
  // While we only linger there is nothing of ours that could still be worth repeating.
  if (!lingering_ && speaks_unasked()) channel_.timeout(now);
  flush();
  if (channel_.failed()) {
    abandon("the peer does not answer");
    return;
  }
  if (give_up_ && *give_up_ <= now) {
    if (state_ == TunnelState::closing || !speaks_unasked()) {
      abandon({});
    } else {
      close(stop(StopResult::general, established_at_ ? "there is no call" : "no SCCCN came"), now);
    }
    return;
  }
  for (bool again = true; again;) {
    again = false;
    for (const auto& [id, session] : sessions_) {
      if (!session.give_up() || *session.give_up() > now) continue;
      const auto ending = hang_up(CallResult::general_error, "no ICCN came");
      end_session(id, &ending, ending.message, now);
      again = true;
      break;
    }
  }
  if (hello_ && *hello_ <= now) {
    hello_.reset();
    // Something of ours that is still unanswered asks the same question.
    if (!channel_.all_acknowledged()) {
      await_silence(now);
    } else {
      Message hello;
      hello.type = MessageType::HELLO;
      send(hello, SessionId(), now, with_.settings.hello_patience);
    }
  }
  flush();
}

std::optional<base::Time> Tunnel::next_timeout() const {
  if (over_) return std::nullopt;
  std::optional<base::Time> earliest;
  if (!lingering_ && speaks_unasked()) earliest = channel_.next_timeout();
  const auto consider = [&earliest](const std::optional<base::Time>& t) {
    if (t && (!earliest || *t < *earliest)) earliest = t;
  };
  consider(give_up_);
  consider(hello_);
  for (const auto& [id, session] : sessions_) consider(session.give_up());
  return earliest;
}

void Tunnel::send(const Message& message, SessionId to, base::Time now, base::Duration patience) {
  channel_.send(to, encode(message), now, patience);
}

void Tunnel::send_CDN(const SessionName& session, const Ending& ending, base::Time now) {
  Message cdn;
  cdn.type = MessageType::CDN;
  cdn.result = ending;
  cdn.assigned_session_id = session.id;
  send(cdn, session.peer, now);
}

void Tunnel::flush() {
  while (auto datagram = channel_.next_datagram()) {
    if (over_) continue;
    with_.effects.push_back(
        Send{name_, has_socket_ ? Via::tunnel_socket : Via::main_socket, std::move(*datagram)});
  }
}

/// From one that nobody foresees on in turn: who is slow to hear of a call's end must not take the next for
/// it.
SessionId Tunnel::new_session_id() {
  auto& id = last_session_id_;
  if (id.value == 0) id.value = with_.random();
  do {
    id.value = static_cast<std::uint16_t>(id.value + 1);
  } while (id.value == 0 || sessions_.contains(id));
  return id;
}

}  // namespace l2tp
