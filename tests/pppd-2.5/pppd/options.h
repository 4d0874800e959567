enum opt_type { o_special_noarg, o_special, o_bool, o_int, o_uint32, o_string, o_wild };
struct option {
  char* name;
  enum opt_type type;
  void* addr;
  char* description;
  unsigned int flags;
  void* addr2;
  int upper_limit;
  int lower_limit;
  const char* source;
  short int priority;
  short int winner;
};
typedef struct option option_t;
#define OPT_PRIV 0x1000
void ppp_add_options(struct option* options);
