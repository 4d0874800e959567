#pragma once
// Whole messages between two processes of one program, from their fields alone: integers in network byte
// order, everything of variable length after its length (32 bits), a variant after its index, a vector after
// its size. The reader takes nothing for a message that is not one to the last byte.
//
// `Shape` names the fields of each struct, for both ways, and the values of each enumeration that may come:
//   static auto fields(Is<Thing> auto& v) { return std::tie(v.one, v.other); }
//   static auto values(const Colour&) { return std::array{Colour::red, Colour::green}; }

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wire {

template <class T, class Wanted>
concept Is = std::same_as<std::remove_const_t<T>, Wanted>;

/// Of what stands below everything. Not a base of each Shape: for clang 14 a `using` of overloads that differ
/// in their constraints brings none of them in.
struct BaseShape {
  static auto fields(Is<base::Error> auto& v) { return std::tie(v.message); }
  static auto fields(Is<base::Endpoint> auto& v) { return std::tie(v.address, v.port); }
  static auto fields(Is<base::Prefix> auto& v) { return std::tie(v.network, v.length); }
};

template <class Shape, class T>
concept HasFields = requires(T& v) {
  BaseShape::fields(v);
}
|| requires(T& v) { Shape::fields(v); };

template <class Shape, class T>
auto fields_of(T& v) {
  if constexpr (requires { BaseShape::fields(v); }) {
    return BaseShape::fields(v);
  } else {
    return Shape::fields(v);
  }
}

template <class Shape>
class Encoder {
 public:
  template <std::unsigned_integral T>
  void put(const T& v) {
    if constexpr (sizeof(T) == 1)
      out_.u8(v);
    else if constexpr (sizeof(T) == 2)
      out_.u16(v);
    else if constexpr (sizeof(T) == 4)
      out_.u32(v);
    else
      out_.u64(v);
  }
  template <class Tag, class Rep>
  void put(const base::Id<Tag, Rep>& v) {
    put(v.value);
  }
  template <class T>
  requires std::is_enum_v<T>
  void put(const T& v) { put(static_cast<std::underlying_type_t<T>>(v)); }
  void put(const std::chrono::seconds& v) { out_.u64(static_cast<std::uint64_t>(v.count())); }
  void put(const base::Address& v) { put_bytes(v.bytes()); }
  void put(const base::Bytes& v) { put_bytes(v); }
  void put(const base::Secret& v) { put_bytes(v.view()); }
  void put(const std::string& v) { put_bytes(base::as_bytes(v)); }
  template <class T>
  void put(const std::optional<T>& v) {
    put(static_cast<std::uint8_t>(v.has_value()));
    if (v) put(*v);
  }
  template <class T, std::size_t size>
  void put(const std::array<T, size>& v) {
    for (const auto& each : v) put(each);
  }
  template <class T>
  void put(const std::vector<T>& v) {
    out_.u32(static_cast<std::uint32_t>(v.size()));
    for (const auto& each : v) put(each);
  }
  template <class T, class E>
  void put(const base::Result<T, E>& v) {
    put(static_cast<std::uint8_t>(v.has_value()));
    if (!v) return put(v.error());
    if constexpr (!std::is_void_v<T>) put(*v);
  }
  template <class T>
  requires HasFields<Shape, const T>
  void put(const T& v) {
    std::apply([&](const auto&... each) { (put(each), ...); }, fields_of<Shape>(v));
  }
  template <class... T>
  void put(const std::variant<T...>& v) {
    out_.u8(static_cast<std::uint8_t>(v.index()));
    std::visit([&](const auto& each) { put(each); }, v);
  }
  base::Secret take() { return base::Secret(out_.take()); }

 private:
  void put_bytes(base::ByteView v) {
    out_.u32(static_cast<std::uint32_t>(v.size()));
    out_.bytes(v);
  }
  wire::Writer out_;
};

template <class Shape>
class Decoder {
 public:
  explicit Decoder(base::ByteView in) : in_(in) {}
  bool complete() const { return ok_ && in_.ok() && in_.left() == 0; }

  template <std::unsigned_integral T>
  void get(T& v) {
    if constexpr (sizeof(T) == 1)
      v = static_cast<T>(in_.u8());
    else if constexpr (sizeof(T) == 2)
      v = in_.u16();
    else if constexpr (sizeof(T) == 4)
      v = in_.u32();
    else
      v = in_.u64();
  }
  void get(bool& v) {
    const auto byte = in_.u8();
    ok_ = ok_ && byte <= 1;
    v = byte == 1;
  }
  template <class Tag, class Rep>
  void get(base::Id<Tag, Rep>& v) {
    get(v.value);
  }
  template <class T>
  requires std::is_enum_v<T>
  void get(T& v) {
    std::underlying_type_t<T> number{};
    get(number);
    v = T{number};
    const auto values = Shape::values(v);
    ok_ = ok_ && std::ranges::find(values, v) != values.end();
  }
  void get(std::chrono::seconds& v) {
    const auto count = in_.u64();
    ok_ = ok_ && count <= most_seconds;
    v = std::chrono::seconds(ok_ ? static_cast<std::int64_t>(count) : 0);
  }
  void get(base::Address& v) {
    if (const auto address = base::Address::from_bytes(get_bytes())) {
      v = *address;
    } else {
      ok_ = false;
    }
  }
  void get(base::Bytes& v) { v = base::to_bytes(get_bytes()); }
  void get(base::Secret& v) { v = base::Secret::copy_of(get_bytes()); }
  void get(std::string& v) { v = base::as_text(get_bytes()); }
  template <class T>
  void get(std::optional<T>& v) {
    bool there = false;
    get(there);
    if (there && ok_) get(v.emplace());
  }
  template <class T, std::size_t size>
  void get(std::array<T, size>& v) {
    for (auto& each : v) get(each);
  }
  template <class T>
  void get(std::vector<T>& v) {
    const auto count = in_.u32();
    for (std::uint32_t i = 0; i < count && ok_ && in_.left() > 0; ++i) get(v.emplace_back());
    ok_ = ok_ && v.size() == count;
  }
  template <class T, class E>
  void get(base::Result<T, E>& v) {
    bool good = false;
    get(good);
    if (!good) {
      E why;
      get(why);
      v = tl::unexpected(std::move(why));
      return;
    }
    if constexpr (std::is_void_v<T>) {
      v = {};
    } else {
      T value{};
      get(value);
      v = std::move(value);
    }
  }
  template <class T>
  requires HasFields<Shape, T>
  void get(T& v) {
    std::apply([&](auto&... each) { (get(each), ...); }, fields_of<Shape>(v));
  }
  template <class... T>
  void get(std::variant<T...>& v) {
    const auto index = in_.u8();
    ok_ = ok_ && index < sizeof...(T);
    std::size_t at = 0;
    ((at++ == index ? get(v.template emplace<T>()) : void()), ...);
  }

 private:
  static constexpr std::uint64_t most_seconds = 1ULL << 40;
  base::ByteView get_bytes() { return in_.bytes(in_.u32()); }
  wire::Reader in_;
  bool ok_ = true;
};

template <class Shape, class T>
base::Secret encoded(const T& value) {
  Encoder<Shape> out;
  out.put(value);
  return out.take();
}

/// None for what is no such message, to the last byte.
template <class Shape, class T>
std::optional<T> decoded(base::ByteView bytes) {
  Decoder<Shape> in(bytes);
  T out;
  in.get(out);
  if (!in.complete()) return std::nullopt;
  return out;
}

}  // namespace wire
