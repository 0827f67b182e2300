/* A TLS 1.2 peer with a pre-shared key on BoringSSL, the TLS library inside Electron.
 * usage: boringssl-peer client|server PORT SUITE KEY-HEX [IDENTITY]
 * Joins standard input and output to the connection. Standard error tells "listening PORT", then "suite NAME". */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t key[64];
static unsigned key_length;
static const char *own_identity = "boringssl";

static unsigned client_key(SSL *ssl, const char *hint, char *identity, unsigned max_identity, uint8_t *psk, unsigned max) {
  if (hint != NULL && *hint != '\0') fprintf(stderr, "hint %s\n", hint);
  if (key_length > max || strlen(own_identity) + 1 > max_identity) return 0;
  strcpy(identity, own_identity);
  memcpy(psk, key, key_length);
  return key_length;
}

static unsigned server_key(SSL *ssl, const char *identity, uint8_t *psk, unsigned max) {
  fprintf(stderr, "identity %s\n", identity);
  if (key_length > max) return 0;
  memcpy(psk, key, key_length);
  return key_length;
}

static void fail(const char *what) {
  fprintf(stderr, "failed %s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static int open_connection(int is_server, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  socklen_t length = sizeof address;
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!is_server) {
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    return descriptor;
  }
  if (bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0 || listen(descriptor, 1) != 0) fail("listen");
  getsockname(descriptor, (struct sockaddr *)&address, &length);
  fprintf(stderr, "listening %d\n", ntohs(address.sin_port));
  return accept(descriptor, NULL, NULL);
}

static void relay(SSL *ssl, int descriptor) {
  char buffer[16384];
  struct pollfd ready[2] = {{.fd = descriptor, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  for (;;) {
    if (SSL_pending(ssl) == 0 && poll(ready, 2, -1) < 0) fail("poll");
    if (SSL_pending(ssl) > 0 || ready[0].revents != 0) {
      int count = SSL_read(ssl, buffer, sizeof buffer);
      if (count <= 0) return;
      if (write(1, buffer, count) != count) fail("write");
    }
    if (ready[1].revents != 0) {
      ssize_t count = read(0, buffer, sizeof buffer);
      if (count <= 0) ready[1].fd = -1;
      else if (SSL_write(ssl, buffer, count) != count) fail("SSL_write");
    }
  }
}

int main(int count, char **arguments) {
  if (count < 5) return 2;
  int is_server = strcmp(arguments[1], "server") == 0;
  for (const char *hex = arguments[4]; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
    unsigned octet;
    if (key_length == sizeof key || sscanf(hex, "%2x", &octet) != 1) return 2;
    key[key_length++] = octet;
  }
  if (count > 5) own_identity = arguments[5];
  SSL_CTX *context = SSL_CTX_new(TLS_method());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  if (!SSL_CTX_set_strict_cipher_list(context, arguments[3])) fail("suite");
  SSL *ssl = SSL_new(context);
  SSL_set_psk_client_callback(ssl, client_key);
  SSL_set_psk_server_callback(ssl, server_key);
  int descriptor = open_connection(is_server, atoi(arguments[2]));
  SSL_set_fd(ssl, descriptor);
  if ((is_server ? SSL_accept(ssl) : SSL_connect(ssl)) != 1) fail("handshake");
  fprintf(stderr, "suite %s\n", SSL_get_cipher(ssl));
  relay(ssl, descriptor);
  SSL_shutdown(ssl);
  return 0;
}
