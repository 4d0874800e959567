#pragma once
// A folder of a test's own, and what it writes there.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace ikd {

class InAFolder : public testing::Test {
 protected:
  InAFolder() {
    std::string name = testing::TempDir() + "ikdXXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
  }
  ~InAFolder() override { std::filesystem::remove_all(folder_); }

  /// In place of what was there.
  void write(const std::string& name, const std::string& text, unsigned mode = 0644) const {
    std::filesystem::remove(path(name));
    std::ofstream(path(name), std::ios::binary) << text;
    std::filesystem::permissions(path(name), std::filesystem::perms(mode));
  }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

}  // namespace ikd
