#include "control/rows.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "control/interfaces.h"

namespace control {
namespace {

Peer a_peer() {
  Peer peer{.peer = 1,
            .mark = 256,
            .alias = "240.0.0.1",
            .identity = "192.168.1.2",
            .client = "windows",
            .psk = "lab",
            .nat = true,
            .address = "198.51.100.1",
            .port = 40001,
            .local_address = "203.0.113.1",
            .established_seconds = 12,
            .ike = IkeSa{"aes256-sha256-modp2048", "0011223344556677", "8899aabbccddeeff"},
            .sas = {}};
  peer.sas.push_back({.spi_in = "0xc0000001",
                      .spi_out = "0x00000bad",
                      .transform = "aes256-sha1",
                      .service = "udp/1701",
                      .state = "active",
                      .bytes_in = 5'000'000'000,
                      .bytes_out = 2,
                      .packets_in = 3,
                      .packets_out = 4,
                      .packets_lost = 6,
                      .age_seconds = 5});
  return peer;
}

TEST(Rows, APeerSurvivesTheTrip) {
  const auto json = to_json(a_peer());
  EXPECT_EQ(json["mark"], 256);
  EXPECT_EQ(json["sas"][0]["bytes_in"], 5'000'000'000);
  EXPECT_EQ(json["ike"]["cookie_i"], "0011223344556677");
  const auto back = peer_from(Json::parse(json.dump()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, a_peer());
  auto without = a_peer();
  without.ike.reset();
  without.sas.clear();
  EXPECT_TRUE(to_json(without)["ike"].is_null());
  EXPECT_EQ(peer_from(to_json(without)).value(), without);
}

TEST(Rows, SessionTunnelAndStatusSurviveTheTrip) {
  const Session session{.mark = 256,
                        .tunnel = 123,
                        .peer_tunnel = 4,
                        .session = 77,
                        .peer_session = 1,
                        .user = "alice",
                        .ppp_address = std::nullopt,
                        .ipv6_prefix = "2001:db8:7::/64",
                        .ifname = "ppp0",
                        .since_seconds = 3};
  EXPECT_TRUE(to_json(session)["ppp_address"].is_null());
  EXPECT_EQ(session_from(to_json(session)).value(), session);
  const Tunnel tunnel{.mark = 0,
                      .tunnel = 1,
                      .peer_tunnel = 65535,
                      .host_name = "xp",
                      .address = "240.0.0.1",
                      .port = 1701,
                      .local_address = "203.0.113.1",
                      .sessions = 1,
                      .since_seconds = 9};
  EXPECT_EQ(tunnel_from(to_json(tunnel)).value(), tunnel);
  const Status status{.version = "0.1.0",
                      .pid = 7,
                      .uptime_seconds = 8,
                      .gauges = {{"peers", 2}},
                      .counters = {{"x", 9}},
                      .lns = "external",
                      .cleartext = "beside"};
  EXPECT_EQ(status_from(to_json(status)).value(), status);
}

TEST(Rows, WhatDoesNotFitIsRefusedByName) {
  const auto broken = [](const char* member, Json value) {
    auto json = to_json(a_peer());
    json[member] = std::move(value);
    return peer_from(json).error().message;
  };
  EXPECT_EQ(broken("port", 65536), "bad peer: port is no number of that size");
  EXPECT_EQ(broken("port", -1), "bad peer: port is no number of that size");
  EXPECT_EQ(broken("mark", "256"), "bad peer: mark is no number of that size");
  EXPECT_EQ(broken("alias", 3), "bad peer: alias is no string");
  EXPECT_EQ(broken("nat", 3), "bad peer: nat is no truth value");
  EXPECT_EQ(broken("alias", nullptr), "bad peer: alias is missing");
  EXPECT_EQ(broken("sas", 1), "bad peer: sas is no list");
  EXPECT_EQ(broken("sas", Json::array({1})), "bad peer: bad sas: it is no object");
  EXPECT_EQ(broken("ike", Json::object()), "bad peer: bad ike: proposal is missing");
  EXPECT_EQ(peer_from(Json::array()).error().message, "bad peer: it is no object");
}

TEST(Rows, MembersOfALaterVersionAreSkipped) {
  auto json = to_json(a_peer());
  json["colour"] = "blue";
  EXPECT_EQ(peer_from(json).value(), a_peer());
}

void expect_described(const Json& row, const std::string& description) {
  for (const auto& [name, value] : row.items()) {
    EXPECT_NE(description.find(name + ": "), std::string::npos) << name;
  }
}

TEST(Interfaces, EveryMemberOfARowIsDescribed) {
  expect_described(to_json(a_peer()), describe(ike_interface));
  expect_described(to_json(a_peer())["sas"][0], describe(ike_interface));
  expect_described(to_json(a_peer())["ike"], describe(ike_interface));
  expect_described(to_json(Session{}), describe(l2tp_interface));
  expect_described(to_json(Tunnel{}), describe(l2tp_interface));
}

TEST(Interfaces, ADescriptionReadsAsVarlink) {
  EXPECT_EQ(describe(service_interface),
            "# What every varlink service answers.\n"
            "interface org.varlink.service\n"
            "\n"
            "# Who serves this socket, and the interfaces it speaks.\n"
            "method GetInfo() -> (vendor: string, product: string, version: string, url: string, "
            "interfaces: []string)\n"
            "\n"
            "# The definition of one of them.\n"
            "method GetInterfaceDescription(interface: string) -> (description: string)\n"
            "\n"
            "error InterfaceNotFound (interface: string)\n"
            "error MethodNotFound (method: string)\n"
            "error MethodNotImplemented (method: string)\n"
            "error InvalidParameter (parameter: string)\n"
            "error PermissionDenied ()\n"
            "error ExpectedMore ()\n");
}

}  // namespace
}  // namespace control
