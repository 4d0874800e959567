#pragma once
// A document against its schema of packaging/schema, by an implementation of somebody else's.

#include <cstdio>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

/// What is wrong with it, in words; empty when it fits.
inline std::string misfit(const std::string& schema, const std::string& document) {
  char name[] = "/tmp/document.XXXXXX";
  const int fd = ::mkstemp(name);
  if (fd < 0 || ::write(fd, document.data(), document.size()) != static_cast<ssize_t>(document.size()))
    return "it cannot be written";
  ::close(fd);
  const auto command = SAMEROOF_SOURCE_DIR "/tests/validate " + schema + " < " + name + " 2>&1";
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  char buffer[4096];
  while (const auto n = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
  const int status = ::pclose(pipe);
  ::unlink(name);
  return status == 0 ? out : out + "(it does not fit)";
}
