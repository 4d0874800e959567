typedef struct lcp_options {
  bool passive, silent;
  bool neg_upap, neg_chap, neg_eap;
  unsigned char chap_mdtype;
} lcp_options;
extern lcp_options lcp_wantoptions[];
