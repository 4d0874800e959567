#pragma once
// SAs compare by every member; they have no operator== because keys must not be compared so.

#include <gmock/gmock.h>

#include "xfrm/types.h"

inline void expect_same(const xfrm::Sa& a, const xfrm::Sa& b) {
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.destination, b.destination);
  EXPECT_EQ(a.spi, b.spi);
  EXPECT_EQ(a.reqid, b.reqid);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.selector, b.selector);
  EXPECT_EQ(a.transform.encryption, b.transform.encryption);
  EXPECT_TRUE(base::equal(a.transform.encryption_key.view(), b.transform.encryption_key.view()));
  EXPECT_EQ(a.transform.integrity, b.transform.integrity);
  EXPECT_TRUE(base::equal(a.transform.integrity_key.view(), b.transform.integrity_key.view()));
  EXPECT_EQ(a.replay_window, b.replay_window);
  EXPECT_EQ(a.encap, b.encap);
  EXPECT_EQ(a.mark, b.mark);
  EXPECT_EQ(a.set_mark, b.set_mark);
  EXPECT_EQ(a.lifetimes, b.lifetimes);
  EXPECT_EQ(a.mapping_interval, b.mapping_interval);
}
