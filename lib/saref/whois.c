/* SPDX-License-Identifier: MIT
 *
 * Asks ikd, in varlink: one JSON object ended by NUL each way.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "saref.h"

enum { longest_answer = 32768, deepest = 32, patience_seconds = 5 };

/* JSON, read forwards once. The first mistake makes it bad, and everything after that is empty. */
struct json {
  const char *at, *end;
  bool bad;
};

static char peek(struct json* in) {
  while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at) ++in->at;
  return in->at < in->end && !in->bad ? *in->at : '\0';
}

static bool take(struct json* in, char wanted) {
  if (peek(in) != wanted) return false;
  ++in->at;
  return true;
}

static void expect(struct json* in, char wanted) {
  if (!take(in, wanted)) in->bad = true;
}

/* Text of limited room, cut off between two characters of UTF-8. */
struct text {
  char* at;
  size_t size, length;
  bool full;
};

static bool continues(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

static void put(struct text* out, char c) {
  if (out->full || out->size == 0) return;
  if (out->length + 1 < out->size) {
    out->at[out->length++] = c;
    return;
  }
  out->full = true;
  if (!continues(c)) return;
  while (out->length > 0 && continues(out->at[out->length - 1])) --out->length;
  out->length -= out->length > 0;
}

static void put_utf8(struct text* out, unsigned code) {
  if (code < 0x80) {
    put(out, (char)code);
  } else if (code < 0x800) {
    put(out, (char)(0xc0 | code >> 6));
    put(out, (char)(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    put(out, (char)(0xe0 | code >> 12));
    put(out, (char)(0x80 | (code >> 6 & 0x3f)));
    put(out, (char)(0x80 | (code & 0x3f)));
  } else {
    put(out, (char)(0xf0 | code >> 18));
    put(out, (char)(0x80 | (code >> 12 & 0x3f)));
    put(out, (char)(0x80 | (code >> 6 & 0x3f)));
    put(out, (char)(0x80 | (code & 0x3f)));
  }
}

static unsigned four_digits(struct json* in) {
  unsigned out = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = in->at < in->end ? *in->at++ : '\0';
    const char* const digits = "0123456789abcdef";
    const char* const digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    if (!digit) {
      in->bad = true;
      return 0;
    }
    out = out << 4 | (unsigned)(digit - digits);
  }
  return out;
}

static void read_escape(struct json* in, struct text* out) {
  static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const char c = in->at < in->end ? *in->at++ : '\0';
  const char* const name = c ? strchr(names, c) : NULL;
  if (name) {
    put(out, meant[name - names]);
  } else if (c == 'u') {
    unsigned code = four_digits(in);
    if (code >= 0xd800 && code < 0xdc00 && in->end - in->at >= 6 && in->at[0] == '\\' && in->at[1] == 'u') {
      in->at += 2;
      code = 0x10000 + ((code - 0xd800) << 10) + ((four_digits(in) - 0xdc00) & 0x3ff);
    }
    /* A NUL would end the text, and half a pair is no character: neither may make one name of another. */
    put_utf8(out, code == 0 || (code >= 0xd800 && code < 0xe000) ? 0xfffd : code);
  } else {
    in->bad = true;
  }
}

/* `out` may be NULL: skips it. False where it was cut off. */
static bool read_string(struct json* in, char* out, size_t size) {
  struct text text = {.at = out, .size = out ? size : 0};
  expect(in, '"');
  while (!in->bad && in->at < in->end && *in->at != '"') {
    if (*in->at == '\\') {
      ++in->at;
      read_escape(in, &text);
    } else {
      put(&text, *in->at++);
    }
  }
  expect(in, '"');
  if (text.size > 0) out[in->bad ? 0 : text.length] = '\0';
  return !text.full;
}

static void skip(struct json* in, int depth);

/* The next member of an object that has been entered; false at its end. */
static bool next_member(struct json* in, char* name, size_t size, bool* first) {
  if (take(in, '}') || in->bad) return false;
  if (!*first) expect(in, ',');
  *first = false;
  read_string(in, name, size);
  expect(in, ':');
  return !in->bad;
}

static void skip(struct json* in, int depth) {
  const char c = peek(in);
  if (depth > deepest) {
    in->bad = true;
  } else if (c == '"') {
    read_string(in, NULL, 0);
  } else if (c == '{') {
    expect(in, '{');
    bool first = true;
    char name[2];
    while (next_member(in, name, sizeof name, &first)) skip(in, depth + 1);
  } else if (c == '[') {
    expect(in, '[');
    for (bool first = true; !in->bad && !take(in, ']'); first = false) {
      if (!first) expect(in, ',');
      skip(in, depth + 1);
    }
  } else { /* a number, true, false, null */
    const char* const from = in->at;
    while (in->at < in->end && *in->at && strchr("+-.0123456789Eaeflnrstu", *in->at)) ++in->at;
    in->bad |= in->at == from;
  }
}

static uint32_t read_number(struct json* in, uint32_t most) {
  uint64_t out = 0;
  const char first = peek(in);
  if (first < '0' || first > '9') in->bad = true;
  while (!in->bad && in->at < in->end && *in->at >= '0' && *in->at <= '9') {
    out = out * 10 + (uint64_t)(*in->at++ - '0');
    in->bad = out > most;
  }
  return in->bad ? 0 : (uint32_t)out;
}

/* One text member of an object, or of nothing where it is null. */
static void read_text_of(struct json* in, const char* wanted, char* out, size_t size) {
  if (peek(in) != '{') {
    skip(in, 0);
    return;
  }
  expect(in, '{');
  bool first = true;
  char name[32];
  while (next_member(in, name, sizeof name, &first)) {
    if (strcmp(name, wanted) == 0)
      read_string(in, out, size);
    else
      skip(in, 0);
  }
}

/* The first SA of the list is the newest. */
static void read_sas(struct json* in, struct saref_peer* peer) {
  expect(in, '[');
  for (bool first = true; !in->bad && !take(in, ']'); first = false) {
    if (!first) {
      expect(in, ',');
      skip(in, 0);
    } else {
      read_text_of(in, "transform", peer->transform, sizeof peer->transform);
    }
  }
}

struct understood {
  bool found, identity_fits;
};

static void read_peer(struct json* in, struct saref_peer* peer, struct understood* so_far) {
  expect(in, '{');
  bool first = true;
  char name[32];
  while (next_member(in, name, sizeof name, &first)) {
    if (strcmp(name, "peer") == 0) {
      peer->number = read_number(in, UINT32_MAX);
      so_far->found = !in->bad;
    } else if (strcmp(name, "identity") == 0) {
      so_far->identity_fits = read_string(in, peer->identity, sizeof peer->identity);
    } else if (strcmp(name, "authentication") == 0) {
      read_string(in, peer->authentication, sizeof peer->authentication);
    } else if (strcmp(name, "address") == 0) {
      read_string(in, peer->address, sizeof peer->address);
    } else if (strcmp(name, "port") == 0) {
      peer->port = (uint16_t)read_number(in, UINT16_MAX);
    } else if (strcmp(name, "ike") == 0) {
      read_text_of(in, "proposal", peer->proposal, sizeof peer->proposal);
    } else if (strcmp(name, "sas") == 0) {
      read_sas(in, peer);
    } else {
      skip(in, 0);
    }
  }
}

/* What ikd answers; 0 or an errno. */
static int understand(const char* answer, size_t size, struct saref_peer* peer) {
  struct json in = {.at = answer, .end = answer + size};
  char name[32], error[64] = "";
  bool first = true;
  struct understood so_far = {.found = false, .identity_fits = true};
  expect(&in, '{');
  while (next_member(&in, name, sizeof name, &first)) {
    if (strcmp(name, "error") == 0) {
      read_string(&in, error, sizeof error);
    } else if (strcmp(name, "parameters") == 0 && peek(&in) == '{') {
      bool first_inside = true;
      expect(&in, '{');
      while (next_member(&in, name, sizeof name, &first_inside)) {
        if (strcmp(name, "peer") == 0 && peek(&in) == '{')
          read_peer(&in, peer, &so_far);
        else
          skip(&in, 0);
      }
    } else {
      skip(&in, 0);
    }
  }
  peek(&in);
  if (in.bad || in.at != in.end) return EPROTO;
  if (strcmp(error, "sameroof.Ike.NoSuchPeer") == 0) return ENOENT;
  if (*error || !so_far.found) return EPROTO;
  return so_far.identity_fits ? 0 : EOVERFLOW;
}

static int64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until there is something to read; 0 or an errno. */
static int await_answer(int fd, int64_t deadline) {
  for (;;) {
    const int64_t left = deadline - milliseconds();
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    const int n = left > 0 ? poll(&readable, 1, (int)left) : 0;
    if (n > 0) return 0;
    if (n == 0) return ETIMEDOUT;
    if (errno != EINTR) return errno;
  }
}

static int ask(int fd, saref_t ref, struct saref_peer* peer) {
  const int64_t deadline = milliseconds() + patience_seconds * 1000;
  char text[longest_answer];
  const int length = snprintf(text, sizeof text,
                              "{\"method\":\"sameroof.Ike.PeerByMark\",\"parameters\":{\"mark\":%u}}", ref);
  if (send(fd, text, (size_t)length + 1, MSG_NOSIGNAL) != length + 1) /* with its NUL */
    return errno;
  for (size_t have = 0; have < sizeof text;) {
    const int late = await_answer(fd, deadline);
    if (late) return late;
    const ssize_t n = recv(fd, text + have, sizeof text - have, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return errno;
    if (n == 0) return EPROTO;
    const char* const end = memchr(text + have, '\0', (size_t)n);
    if (end) return understand(text, (size_t)(end - text), peer);
    have += (size_t)n;
  }
  return EPROTO;
}

int saref_whois(const char* ikd, saref_t ref, struct saref_peer* peer) {
  const struct timeval patience = {.tv_sec = patience_seconds};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char* const path = ikd ? ikd : SAREF_IKD;
  memset(peer, 0, sizeof *peer);
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int error = 0;
  /* Where too many wait to be accepted; what is asked is short enough to be sent at once. */
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
      connect(fd, (const struct sockaddr*)&address, sizeof address) < 0)
    error = errno == EAGAIN ? ETIMEDOUT : errno;
  if (!error) error = ask(fd, ref, peer);
  close(fd);
  if (error) {
    memset(peer, 0, sizeof *peer);
    errno = error;
    return -1;
  }
  return 0;
}
