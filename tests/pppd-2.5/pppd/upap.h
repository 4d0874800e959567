typedef int(pap_check_hook_fn)(void);
extern pap_check_hook_fn* pap_check_hook;
typedef int(pap_auth_hook_fn)(char* user, char* password, char** message, struct wordlist** addresses,
                              struct wordlist** options);
extern pap_auth_hook_fn* pap_auth_hook;
