// Whatever is accepted keeps the promises of config.h; secrets are never quoted.

#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::as_text({data, size});
  if (const auto c = config::parse(text, "f")) {
    const bool sound = c->marks.capacity() > 0 && !c->ike.listen.empty() && !c->l2tp.listen.empty() &&
                       !c->ppp.auth.empty() && c->ppp.dns.size() <= 2 && c->ppp.mtu.value_or(576) >= 576;
    if (!sound) __builtin_trap();
    const auto last = c->marks.capacity();
    if ((c->marks.mark_of(last).value & ~c->marks.mask) != 0) __builtin_trap();
    if (!c->marks.alias.contains(c->marks.alias_of(last))) __builtin_trap();
  } else if (!c.error().message.starts_with("f: ")) {
    __builtin_trap();
  }
  if (const auto s = config::parse_secrets(text, "f"); s) {
    for (const auto& [name, secret] : s->user) {
      if (secret.empty()) __builtin_trap();
    }
  }
  return 0;
}
