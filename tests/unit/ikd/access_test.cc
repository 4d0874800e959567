#include "ikd/access.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ikd {
namespace {

using testing::HasSubstr;

class Access : public testing::Test {
 protected:
  Access() {
    char name[] = "/tmp/access.XXXXXX";
    folder_ = ::mkdtemp(name);
    file_ = folder_ + "/sameroof.toml";
    std::ofstream(file_) << "[ppp]\n";
    ::chmod(folder_.c_str(), 0755);
  }
  ~Access() override { std::filesystem::remove_all(folder_); }

  std::string verdict(mode_t mode, uid_t user = ::geteuid() + 1) {
    ::chmod(file_.c_str(), mode);
    const auto readable = readable_for(file_, user);
    return readable ? "readable" : readable.error().message;
  }

  std::string folder_, file_;
};

TEST_F(Access, OthersReadWhatIsOpenToOthersOrToAGroup) {
  EXPECT_EQ(verdict(0644), "readable");
  EXPECT_EQ(verdict(0640), "readable") << "who is of the group, or in an access list, is not known here";
  EXPECT_EQ(verdict(0600, ::geteuid()), "readable");
}

TEST_F(Access, AFileForItsOwnerAloneIsNamed) {
  EXPECT_EQ(verdict(0600), file_ + " has mode 0600: nobody but its owner gets at it (chmod 644)");
}

TEST_F(Access, AFolderForItsOwnerAloneIsNamed) {
  ::chmod(folder_.c_str(), 0700);
  EXPECT_EQ(verdict(0644), folder_ + " has mode 0700: nobody but its owner gets at it (chmod 755)");
}

TEST_F(Access, WhatIsNotThereIsNotReadable) {
  std::filesystem::remove(file_);
  EXPECT_THAT(verdict(0644), HasSubstr("cannot look at " + file_));
}

}  // namespace
}  // namespace ikd
