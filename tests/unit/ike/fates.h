#pragma once
// Each single datagram of an exchange, and each pair of them, is lost, doubled or overtaken.

#include <array>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "harness/network.h"

namespace fates {

using harness::Fate;

constexpr std::array all{Fate::lost, Fate::doubled, Fate::late};

inline std::string words(const std::map<std::size_t, Fate>& happening) {
  std::string out;
  for (const auto& [number, fate] : happening)
    out += "datagram " + std::to_string(number) +
           (fate == Fate::lost      ? " is lost. "
            : fate == Fate::doubled ? " comes twice. "
                                    : " comes late. ");
  return out;
}

/// `run` with one fate for each of so many datagrams, and with two for each two of them; until one fails.
template <class Run>
void each_single_and_each_pair(std::size_t messages, Run run) {
  const auto go = [&](const std::map<std::size_t, Fate>& happening) {
    SCOPED_TRACE(words(happening));
    run(happening);
    return !::testing::Test::HasFailure();
  };
  for (std::size_t a = 0; a < messages; ++a) {
    for (const auto fate_a : all) {
      if (!go({{a, fate_a}})) return;
      for (std::size_t b = a + 1; b < messages; ++b) {
        for (const auto fate_b : all) {
          if (!go({{a, fate_a}, {b, fate_b}})) return;
        }
      }
    }
  }
}

}  // namespace fates
