/**
 * Every number and name of the 3GPP profile that is this project's choice or may differ in an operator's network.
 * Sources are the clauses of docs/profile-choices.md. Nothing of this stands as a literal elsewhere.
 */
export const profile = {
  mikey: {
    /** GENERIC-ID Prot type of a TLS crypto session; IANA has none, 241-255 are private use. */
    protTypeTls: 241,
    /** Accepted besides `protTypeTls` when the media line is TCP/TLS/MSRP. */
    protTypeTlsAlsoAccepted: 2,
    /** GENERIC-ID Prot type of a PSK-MIME crypto session. */
    protTypePskMime: 242,
    /** General Extension type of proof of origin; IANA assigns 0 to 7 only. */
    proofOfOriginExtension: 241,
    crypto: { csId: 1 },
    /** 2 is the 3GPP base ticket; the format is that of RFC 6043 appendix A for both. */
    ticketType: 2,
    ticketTypesAccepted: [1, 2],
    randOctets: 32,
  },
  ticket: {
    /** TRs lies this far before the time of issue. */
    startsBeforeIssueSeconds: 300,
    sessionLifetimeSeconds: 24 * 3600,
    messageLifetimeSeconds: 7 * 24 * 3600,
    /** A cached ticket is renewed when less than this share of its life is left, at most `renewalMarginMaxSeconds`. */
    renewalMarginShare: 0.1,
    renewalMarginMaxSeconds: 3600,
  },
  replay: {
    clockSkewSeconds: 300,
    kmsCacheSeconds: 600,
    /** How long a MESSAGE is remembered when its ticket has no end. */
    messageCacheSeconds: 30 * 24 * 3600,
  },
  kms: {
    path: '/keymanagement',
    contentType: 'application/mikey',
    bodyEncoding: 'base64',
    timeoutMilliseconds: 10_000,
    maxBodyOctets: 16 * 1024,
  },
  msrpTls: {
    pskMinVersion: 'TLSv1.2',
    /** OpenSSL names, in order of preference; each is probed before use, the three of every stack come first. */
    pskSuites: [
      'ECDHE-PSK-CHACHA20-POLY1305',
      'ECDHE-PSK-AES128-CBC-SHA',
      'PSK-AES128-CBC-SHA',
      'ECDHE-PSK-AES256-CBC-SHA',
      'PSK-AES256-CBC-SHA',
    ],
    /** TLS 1.3, before `fingerprintSuites` of TLS 1.2. */
    fingerprintTls13Suites: ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
    fingerprintSuites: [
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES256-GCM-SHA384',
    ],
    fingerprintHashSent: 'sha-256',
    fingerprintHashesAccepted: ['sha-256', 'sha-384', 'sha-512'],
  },
  message: {
    /** A protected MESSAGE above this size is not sent as MESSAGE. */
    maxOctets: 8 * 1024,
  },
  signalling: {
    /** Sends `Require` and `Proxy-Require: mediasec`; off because no IANA registration exists. */
    mediasecOptionTag: false,
  },
} as const;
