#include "l2tp/session.h"

namespace l2tp {

CallStep Session::receive(const Message& message, base::Time now) {
  const auto row = lookup(state_, message.type);
  if (row.step == CallStep::accept_ICCN) {
    since_ = now;
    give_up_.reset();
    sequencing_ = message.sequencing_required;
  }
  state_ = row.next;
  return row.step;
}

}  // namespace l2tp
