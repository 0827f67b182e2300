/* Asks a Kerberos KDC for a ticket-granting ticket and then for a service ticket, N times, and prints how long it took.
 * usage: kerberos-driver PRINCIPAL KEYTAB SERVICE N */
#include <krb5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void require(krb5_context context, krb5_error_code code, const char *what) {
  if (code == 0) return;
  fprintf(stderr, "%s: %s\n", what, krb5_get_error_message(context, code));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: kerberos-driver PRINCIPAL KEYTAB SERVICE N\n");
    return 2;
  }
  int rounds = atoi(argv[4]);
  krb5_context context;
  if (krb5_init_context(&context) != 0) return 1;
  krb5_principal client, service;
  krb5_keytab keytab;
  require(context, krb5_parse_name(context, argv[1], &client), "client");
  require(context, krb5_parse_name(context, argv[3], &service), "service");
  require(context, krb5_kt_resolve(context, argv[2], &keytab), "keytab");
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int round = 0; round < rounds; round++) {
    krb5_creds granting, wanted, *service_ticket = NULL;
    krb5_ccache cache;
    memset(&granting, 0, sizeof granting);
    memset(&wanted, 0, sizeof wanted);
    require(context, krb5_get_init_creds_keytab(context, &granting, client, keytab, 0, NULL, NULL), "AS-REQ");
    require(context, krb5_cc_new_unique(context, "MEMORY", NULL, &cache), "cache");
    require(context, krb5_cc_initialize(context, cache, client), "cache");
    require(context, krb5_cc_store_cred(context, cache, &granting), "cache");
    wanted.client = client;
    wanted.server = service;
    require(context, krb5_get_credentials(context, 0, cache, &wanted, &service_ticket), "TGS-REQ");
    krb5_free_creds(context, service_ticket);
    krb5_free_cred_contents(context, &granting);
    krb5_cc_destroy(context, cache);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.6f\n", (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
  return 0;
}
