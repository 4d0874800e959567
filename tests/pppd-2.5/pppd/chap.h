#define CHAP_MICROSOFT_V2 0x81
#define MDTYPE_NONE 0

struct chap_digest_type {
  int code;
  void (*generate_challenge)(unsigned char* challenge);
  int (*verify_response)(int id, char* name, unsigned char* secret, int secret_size, unsigned char* challenge,
                         unsigned char* response, char* message, int message_space);
};
typedef int(chap_check_hook_fn)(void);
extern chap_check_hook_fn* chap_check_hook;
typedef int(chap_verify_hook_fn)(char* name, char* our_name, int id, struct chap_digest_type* digest,
                                 unsigned char* challenge, unsigned char* response, char* message,
                                 int message_space);
extern chap_verify_hook_fn* chap_verify_hook;
