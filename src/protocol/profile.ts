/**
 * Every number and name of the 3GPP profile that is this project's choice or may differ in an operator's network.
 * Nothing of this stands as a literal elsewhere. docs/profile-choices.md tells for each whether it is literal, derived or chosen.
 */
export const profile = {
  /** RFC 6043 and its use for messaging (profile 3.4 to 3.6, 5.1 to 5.4). */
  mikey: {
    /** GENERIC-ID Prot type of a TLS crypto session: chosen (3.4). IANA has none, 241-255 are private use. */
    protTypeTls: 241,
    /** Accepted besides `protTypeTls` when the media line is TCP/TLS/MSRP: chosen (3.4). */
    protTypeTlsAlsoAccepted: 2,
    /** GENERIC-ID Prot type of a PSK-MIME crypto session: chosen (5.3). */
    protTypePskMime: 242,
    /** General Extension type of proof of origin: chosen (5.4). IANA assigns 0 to 7, 241-255 are private use. */
    proofOfOriginExtension: 241,
    /** CS ID of the one crypto session: chosen (3.4). */
    crypto: { csId: 1 },
    /** 2 is the 3GPP base ticket of the IANA registry; the format is that of RFC 6043 appendix A for both: chosen (3.6). */
    ticketType: 2,
    ticketTypesAccepted: [1, 2],
    /** RANDRi, RANDRr, RANDRkms and RAND of the ticket: chosen (3.6), no less than RFC 6043 5.1 wants. */
    randOctets: 32,
  },
  ticket: {
    /** TRs lies this far before the time of issue: chosen (3.6). */
    startsBeforeIssueSeconds: 300,
    /** Chosen (3.6). */
    sessionLifetimeSeconds: 24 * 3600,
    /** Chosen, longer than a network stores a MESSAGE (5.5). */
    messageLifetimeSeconds: 7 * 24 * 3600,
    /** A cached ticket is renewed when less than this share of its life is left, at most `renewalMarginMaxSeconds`: chosen (5.5). */
    renewalMarginShare: 0.1,
    renewalMarginMaxSeconds: 3600,
  },
  replay: {
    /** Window for T where no ticket bounds it: chosen (5.5, 6.5). */
    clockSkewSeconds: 300,
    /** How long the KMS remembers a request: twice the window and chosen (6.5). */
    kmsCacheSeconds: 600,
    /** How long a MESSAGE is remembered when its ticket has no end: chosen (5.5). */
    messageCacheSeconds: 30 * 24 * 3600,
  },
  /** HTTP to the KMS: chosen (6.1), since the annex of TS 33.328 is not public. */
  kms: {
    path: '/keymanagement',
    contentType: 'application/mikey',
    bodyEncoding: 'base64',
    timeoutMilliseconds: 10_000,
    maxBodyOctets: 16 * 1024,
    /** Older ones shall not be supported (2.6, TS 33.210 6.2). */
    tlsMinVersion: 'TLSv1.2',
    /** TLS 1.3, then TLS 1.2, OpenSSL names (2.6). */
    tlsSuites: [
      'TLS_AES_128_GCM_SHA256',
      'TLS_AES_256_GCM_SHA384',
      'TLS_CHACHA20_POLY1305_SHA256',
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES256-GCM-SHA384',
    ],
  },
  /** Sequence numbers of AKA: TS 33.102 C.3.2, whose values a network may choose otherwise. */
  aka: {
    /** How far ahead of the highest one a number may lie. */
    sequenceDelta: 2 ** 28,
  },
  /** HTTP to the bootstrapping server, reference point Ub (TS 24.109 clause 4), and what follows from it (6.3). */
  bootstrapping: {
    /** TS 24.109 annex C. */
    contentType: 'application/vnd.3gpp.bsf+xml',
    /** User-Agent token of a UE that bootstraps with its SIP Digest password (6.3, TS 24.109). */
    digestToken: 'GBA_Digest',
    /** User-Agent token towards the KMS as a NAF: by memory of TS 24.109, chosen (6.1). */
    nafTokens: { 'gba-aka': '3gpp-gba', 'gba-digest': '3gpp-gba-digest' },
    /**
     * TLS exporter (RFC 5705) behind TLS_MK_Extr: its label is not known from public text, so this one is chosen and may have to be
     * set to the network's. The length is that of TS 33.220 annex B.
     */
    tlsExporterLabel: 'EXPORTER_3GPP_GBA_Digest',
    tlsMkExtrOctets: 48,
    timeoutMilliseconds: 10_000,
    maxBodyOctets: 16 * 1024,
    /** A key is replaced when less than this share of its life is left, at most `renewalMarginMaxSeconds`: chosen (6.3). */
    renewalMarginShare: 0.1,
    renewalMarginMaxSeconds: 300,
    /** Life of Ks at our own bootstrapping server: chosen. */
    keyLifetimeSeconds: 8 * 3600,
  },
  msrpTls: {
    /** RFC 4279 suites (3.3); no TLS 1.3 external PSK, which BoringSSL cannot do. */
    pskMinVersion: 'TLSv1.2',
    /** OpenSSL names, in order of preference; each is probed before use, the three of every stack come first: chosen (3.3). */
    pskSuites: [
      'ECDHE-PSK-CHACHA20-POLY1305',
      'ECDHE-PSK-AES128-CBC-SHA',
      'PSK-AES128-CBC-SHA',
      'ECDHE-PSK-AES256-CBC-SHA',
      'PSK-AES256-CBC-SHA',
    ],
    /** TLS 1.3, before `fingerprintSuites` of TLS 1.2 (2.6, TS 33.210 6.2). */
    fingerprintTls13Suites: ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
    fingerprintSuites: [
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES256-GCM-SHA384',
    ],
    /** `sha-256` is sent; weaker ones alone are refused: chosen (2.4), names of RFC 8122. */
    fingerprintHashesAccepted: ['sha-256', 'sha-384', 'sha-512'],
  },
  message: {
    /** A protected MESSAGE above this size is not sent as MESSAGE: chosen (5.5). */
    maxOctets: 8 * 1024,
  },
  /** What an account does that says nothing else. */
  accountDefaults: {
    /** Sends `Require` and `Proxy-Require: mediasec`; off because no IANA registration exists (1.6). */
    mediasecOptionTag: false,
    /** Takes msrp-tls of the registration for the indication that an answer leaves out (2.5). */
    e2aeInferFromRegistration: false,
  },
} as const;
