typedef struct ipcp_options {
  bool neg_addr, accept_local, req_dns1, req_dns2;
  uint32_t ouraddr, hisaddr; /* network order */
  uint32_t dnsaddr[2], winsaddr[2];
} ipcp_options;
extern ipcp_options ipcp_gotoptions[];
extern ipcp_options ipcp_wantoptions[];
extern ipcp_options ipcp_allowoptions[];
extern ipcp_options ipcp_hisoptions[];
extern void (*ip_choose_hook)(uint32_t* address);
