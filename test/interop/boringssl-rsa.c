/*
 * What Electron's BoringSSL makes of our RSA, by the calls that node:crypto makes there.
 * boringssl-rsa PRIVATE-KEY-PEM raw CIPHERTEXT          writes the deciphered block, padding and all
 * boringssl-rsa PRIVATE-KEY-PEM sha1|sha256 pkcs1|pss SIGNATURE DATA   succeeds when the signature holds
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

static size_t read_file(const char *path, unsigned char *into, size_t size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 0;
  size_t length = fread(into, 1, size, file);
  fclose(file);
  return length;
}

static int decipher(EVP_PKEY *key, const char *path) {
  unsigned char ciphertext[512], block[512];
  size_t length = read_file(path, ciphertext, sizeof ciphertext), block_length = sizeof block;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
  if (!EVP_PKEY_decrypt_init(context) || !EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING)) return 1;
  if (!EVP_PKEY_decrypt(context, block, &block_length, ciphertext, length)) return 1;
  return fwrite(block, 1, block_length, stdout) == block_length ? 0 : 1;
}

static int verify(EVP_PKEY *key, char **words) {
  static unsigned char signature[512], data[65536];
  size_t signature_length = read_file(words[2], signature, sizeof signature);
  size_t data_length = read_file(words[3], data, sizeof data);
  EVP_PKEY_CTX *scheme;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const EVP_MD *hash = strcmp(words[0], "sha1") == 0 ? EVP_sha1() : EVP_sha256();
  if (!EVP_DigestVerifyInit(context, &scheme, hash, NULL, key)) return 1;
  if (strcmp(words[1], "pss") == 0) {
    if (!EVP_PKEY_CTX_set_rsa_padding(scheme, RSA_PKCS1_PSS_PADDING)) return 1;
    if (!EVP_PKEY_CTX_set_rsa_pss_saltlen(scheme, -2)) return 1;
  }
  return EVP_DigestVerify(context, signature, signature_length, data, data_length) == 1 ? 0 : 1;
}

int main(int count, char **words) {
  FILE *file = count < 4 ? NULL : fopen(words[1], "r");
  EVP_PKEY *key = file == NULL ? NULL : PEM_read_PrivateKey(file, NULL, NULL, NULL);
  if (key == NULL) return 2;
  if (strcmp(words[2], "raw") == 0) return decipher(key, words[3]);
  return count == 6 ? verify(key, words + 2) : 2;
}
