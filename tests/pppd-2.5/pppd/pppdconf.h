#define PPPD_VERSION "2.5.0"
