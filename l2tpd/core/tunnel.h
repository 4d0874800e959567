#pragma once
// One control connection (RFC 2661 §7.2.1) and its calls.

#include <array>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "l2tp/channel.h"
#include "l2tp/effect.h"
#include "l2tp/session.h"
#include "l2tp/tables.h"

namespace l2tp {

class Tunnel {
 public:
  /// `name.peer` may be zero: such an SCCRQ is answered with StopCCN.
  Tunnel(TunnelName name, const Message& sccrq, base::Time now, Surroundings& with);

  /// The SCCRQ the tunnel was made for, to be answered. Until SCCCN comes the tunnel is memory and nothing
  /// else: no socket, no latch.
  void accept(const Header& header, const Message& sccrq, base::Time now);
  /// The same for one that is not to be: StopCCN, once. Nothing need be kept of it.
  void refuse(const Header& header, const Ending& ending, base::Time now);
  /// A control message of this peer for this tunnel.
  void receive(const Header& header, base::Time now);
  /// The SCCRQ came again: so does its answer.
  void repeat_answer();
  void timeout(base::Time now);
  std::optional<base::Time> next_timeout() const;

  /// PPP of `session` has ended: CDN.
  void session_ended(SessionId session, const Ending& ending, base::Time now);
  /// StopCCN with these words; goes on acknowledging until the peer has it, or has not in its time.
  void close(const Ending& ending, base::Time now);
  /// At once and without a word to the peer.
  void abandon(std::string why);
  /// The same for one that never stood, and not worth a line in the log.
  void forget();

  /// Nothing is left to do: forget it.
  bool over() const { return over_; }
  /// The peer has ended it, and we only go on acknowledging.
  bool lingering() const { return lingering_; }
  /// This very SCCRQ made it, not one that somebody has made to look like it.
  bool is_of(ByteView sccrq_body) const { return sccrq_ && sccrq_ == digest_of(sccrq_body); }
  TunnelState state() const { return state_; }
  const TunnelName& name() const { return name_; }
  const std::string& host_name() const { return host_name_; }
  const std::string& vendor_name() const { return vendor_name_; }
  const std::map<SessionId, Session>& sessions() const { return sessions_; }
  base::Time since() const { return since_; }
  /// When SCCCN came: proof that the peer is where its datagrams claim to come from, for it has read our
  /// SCCRP.
  std::optional<base::Time> established_at() const { return established_at_; }

 private:
  enum class Farewell { acknowledge_only, with_StopCCN };

  void handle(const Received& received, base::Time now);
  void handle_fault(const Message& message, const Received& received, base::Time now);
  using Digest = std::array<std::uint8_t, 32>;
  static std::optional<Digest> digest_of(ByteView body);
  void answer_SCCRQ(const Message& sccrq, base::Time now);
  void accept_SCCCN(const Message& scccn, base::Time now);
  void handle_call(const Message& message, SessionId to, base::Time now);
  void accept_ICRQ(const Message& icrq, base::Time now);
  void refuse_call(const Message& request, const Ending& ending, base::Time now);
  void end_session(SessionId id, const Ending* ending, std::string why, base::Time now);
  void take_down(Farewell farewell, const std::string& why, base::Time now);
  void send(const Message& message, SessionId to, base::Time now, base::Duration patience = usual_patience);
  void send_CDN(const SessionName& session, const Ending& ending, base::Time now);
  void await_silence(base::Time now);
  /// In clear text not for long.
  void await_call(base::Time now);
  /// In clear text nothing is sent before SCCCN that was not asked for: whoever forges a source address must
  /// not have more sent there than he sends himself. The peer repeats its SCCRQ until it is answered.
  bool speaks_unasked() const { return established_at_ || name_.mark.value != 0; }
  void report_down(std::string why, std::optional<Ending> stop = {});
  /// The socket and the latch, if they are there.
  void release();
  void flush();
  SessionId new_session_id();
  Session* find_session(const Message& message, SessionId to);

  TunnelName name_;
  Surroundings& with_;
  Channel channel_;
  TunnelState state_ = TunnelState::idle;
  std::string host_name_;
  std::string vendor_name_;
  std::map<SessionId, Session> sessions_;
  SessionId last_session_id_;
  base::Time since_;
  std::optional<Digest> sccrq_;  ///< SHA-256 of its body
  Bytes challenge_;              ///< ours, where there is a secret
  std::optional<base::Time> established_at_;
  std::optional<base::Time> give_up_;  ///< end of the setup, of the wait for a call, or of the linger
  std::optional<base::Time> hello_;
  bool has_socket_ = false;
  bool lingering_ = false;
  bool over_ = false;
  bool reported_down_ = false;
};

}  // namespace l2tp
