/* What our plugin uses of pppd 2.5, from its released interface. */
#ifndef PPPD_H
#define PPPD_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pppdconf.h"

struct wordlist;
typedef enum ppp_exit_code { EXIT_OK = 0 } ppp_exit_code_t;
typedef enum {
  NF_PID_CHANGE,
  NF_PHASE_CHANGE,
  NF_EXIT,
  NF_SIGNALED,
  NF_IP_UP,
  NF_IP_DOWN,
  NF_IPV6_UP,
  NF_IPV6_DOWN,
  NF_AUTH_UP,
  NF_LINK_DOWN,
  NF_FORK
} ppp_notify_t;
typedef void(ppp_notify_fn)(void* context, int argument);

void error(const char* format, ...);
ppp_exit_code_t ppp_status(void);
int ppp_get_max_connect_time(void);
void ppp_set_max_connect_time(unsigned int seconds);
int ppp_get_max_idle_time(void);
void ppp_set_max_idle_time(unsigned int seconds);
int ppp_get_mtu(int unit);
const char* ppp_ifname(void);
void ppp_add_notify(ppp_notify_t event, ppp_notify_fn* told, void* context);
extern int (*allowed_address_hook)(uint32_t address);
struct ppp_idle;
extern int (*idle_time_hook)(struct ppp_idle* idle);
#endif
