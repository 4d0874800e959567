#pragma once
// Which PPP logins a peer's IPsec connection allows (bind_user): ikd knows, by the peer's mark.

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "config/config.h"
#include "control/async_client.h"
#include "os/loop.h"

namespace l2tpd {

class Bindings {
 public:
  /// None where any login is fine.
  using Logins = std::optional<std::vector<std::string>>;
  using OnAnswer = std::function<void(base::Result<Logins>)>;

  /// `config` outlives it; `socket_path`: ikd's.
  Bindings(os::Loop& loop, const config::Config& config, std::string socket_path);
  Bindings(const Bindings&) = delete;
  Bindings& operator=(const Bindings&) = delete;

  /// Answers once: at once where nothing is bound or the peer came without IPsec, else when ikd has
  /// answered, and with an error when it does not: who is bound must not get in as somebody else meanwhile.
  void ask(base::Mark mark, OnAnswer on_answer);

 private:
  struct Question {
    std::unique_ptr<control::AsyncClient> client;
    std::string why;  ///< there is none yet
    os::Source again, too_late;
    OnAnswer on_answer;
  };
  bool any_bound() const;
  using Iterator = std::list<Question>::iterator;
  void ask(Iterator question, base::Mark mark);
  void finish(Iterator question, base::Result<Logins> answer);

  os::Loop& loop_;
  const config::Config& config_;
  std::string path_;
  std::list<Question> questions_;
};

}  // namespace l2tpd
