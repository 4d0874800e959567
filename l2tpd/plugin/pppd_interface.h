/* pppd's interface as its release 2.5 has it, also where pppd is 2.4.9. */

#ifndef SAMEROOF_PLUGIN_PPPD_INTERFACE_H
#define SAMEROOF_PLUGIN_PPPD_INTERFACE_H

/* pppd's headers leave out prototypes in places, and pppd.h must come first. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wpedantic"
/* clang-format off */
#include <pppd/pppd.h>
#if __has_include(<pppd/pppdconf.h>)
#include <pppd/chap.h>
#include <pppd/fsm.h>
#include <pppd/ipcp.h>
#include <pppd/lcp.h>
#include <pppd/options.h>
#include <pppd/upap.h>
#else
#include <pppd/chap-new.h>
#include <pppd/fsm.h>
#include <pppd/ipcp.h>
#include <pppd/lcp.h>

#define PPPD_VERSION VERSION
#define NF_AUTH_UP (&auth_up_notifier)
#define NF_IP_UP (&ip_up_notifier)
#define NF_IP_DOWN (&ip_down_notifier)
#define NF_IPV6_UP (&ipv6_up_notifier)
#define NF_IPV6_DOWN (&ipv6_down_notifier)
#define NF_FORK (&fork_notifier)
#define ppp_add_notify add_notifier
#define ppp_add_options add_options

static inline int ppp_get_max_connect_time(void) { return maxconnect; }
static inline void ppp_set_max_connect_time(unsigned int seconds) { maxconnect = (int)seconds; }
static inline int ppp_get_max_idle_time(void) { return idle_time_limit; }
static inline void ppp_set_max_idle_time(unsigned int seconds) { idle_time_limit = (int)seconds; }
static inline int ppp_get_mtu(int unit) { return netif_get_mtu(unit); }
static inline const char* ppp_ifname(void) { return ifname; }
static inline int ppp_status(void) { return status; }
#endif
/* clang-format on */
#pragma GCC diagnostic pop

#endif
