import type { RefusalCode } from '../refusal.ts';

/** What the far end's SDP says about one MSRP stream. */
export interface StreamFacts {
  readonly protocol: 'TCP/MSRP' | 'TCP/TLS/MSRP';
  /** At least one fingerprint under a hash that we accept. */
  readonly fingerprint: boolean;
  readonly keyManagement: boolean;
  /** Media level `a=3ge2ae`. */
  readonly indicator: 'requested' | 'applied' | undefined;
  /** Its path names a relay before itself (RFC 4976). */
  readonly relayed?: boolean;
}

export interface StreamCircumstances {
  /** What our offer carried; `nothing` when the SDP at hand is the offer. */
  readonly sent: 'key-management' | 'requested' | 'relay' | 'plain' | 'nothing';
  /** The SDP came over TLS with the security agreement done, so that fingerprints and indications are the network's words. */
  readonly signallingProtected: boolean;
  /** Both sides announced `msrp-tls` at registration (profile 1.8). */
  readonly e2aeAllowed: boolean;
  /** We have a relay, for offers that speak of one too. */
  readonly ownRelay?: boolean;
  /** The account setting `e2aeInferFromRegistration`. */
  readonly inferFromRegistration: boolean;
}

export type StreamDecision =
  /** End to end, if and only if the handshake with the key from the ticket succeeds. */
  | { readonly mode: 'psk' }
  | {
      readonly mode: 'fingerprint';
      readonly level: 'e2ae';
      readonly indication: 'applied' | 'inferred-from-registration';
    }
  | { readonly mode: 'fingerprint'; readonly level: 'unverified'; readonly indication: 'none' }
  /** Through our relay, or to the far end's: every relay reads the content, so `unverified` is the best that this can be. */
  | { readonly mode: 'relay'; readonly side: 'own' | 'peer'; readonly level: 'unverified' | 'none' }
  | { readonly mode: 'plain'; readonly level: 'none' }
  | { readonly mode: 'abort'; readonly code: RefusalCode; readonly happened: string };

/** Profile 2.5, row by row. The policy judges the result afterwards. */
export function decideStream(stream: StreamFacts, when: StreamCircumstances): StreamDecision {
  if (when.sent === 'nothing') return decideOffer(stream, when);
  if (when.sent === 'relay') {
    return { mode: 'relay', side: 'own', level: stream.protocol === 'TCP/MSRP' ? 'none' : 'unverified' };
  }
  if (when.sent === 'key-management') return decideKeyManagementAnswer(stream);
  if (when.sent === 'plain') {
    return stream.protocol === 'TCP/MSRP'
      ? plain
      : abort('The other side answered with a transport that was not offered');
  }
  return stream.protocol === 'TCP/MSRP' ? plain : decideFingerprints(stream, when);
}

/** A relay ends TLS on both its sides, so that a key between the two ends of the session never meets its match. */
const relayReads =
  'The other side is behind an MSRP relay, which reads all that goes through it, so nothing can be protected end to end on this way';

const plain: StreamDecision = { mode: 'plain', level: 'none' };

function abort(happened: string, code: RefusalCode = 'peer-incompatible'): StreamDecision {
  return { mode: 'abort', code, happened };
}

function decideOffer(stream: StreamFacts, when: StreamCircumstances): StreamDecision {
  if (stream.protocol === 'TCP/MSRP') {
    // RFC 4567 4.1.2: a key management attribute that cannot be honoured ends the whole set-up.
    return stream.keyManagement ? abort('The other side sent key management for an unencrypted session') : plain;
  }
  // With key management a fingerprint or an `applied` beside it is ignored: only the handshake with our key counts.
  if (stream.keyManagement) return stream.relayed === true ? abort(relayReads) : { mode: 'psk' };
  // Nobody who offers a relay's name alone can have meant fingerprints: the relay's certificate proves its name.
  if (!stream.fingerprint && when.ownRelay === true) return { mode: 'relay', side: 'own', level: 'unverified' };
  if (!stream.fingerprint && stream.relayed === true) return { mode: 'relay', side: 'peer', level: 'unverified' };
  return decideFingerprints(stream, when);
}

function decideKeyManagementAnswer(stream: StreamFacts): StreamDecision {
  if (stream.relayed === true) return abort(relayReads);
  if (stream.protocol === 'TCP/TLS/MSRP' && stream.keyManagement) return { mode: 'psk' };
  return abort('The other side answered without the key management that end-to-end protection needs');
}

function decideFingerprints(stream: StreamFacts, when: StreamCircumstances): StreamDecision {
  if (!stream.fingerprint) {
    return abort(
      'The other side named no certificate fingerprint that is accepted, so its end of the connection cannot be checked',
    );
  }
  const networkSpeaks = when.signallingProtected && when.e2aeAllowed;
  if (networkSpeaks && stream.indicator === 'applied') {
    return { mode: 'fingerprint', level: 'e2ae', indication: 'applied' };
  }
  if (networkSpeaks && when.sent === 'requested' && when.inferFromRegistration) {
    return { mode: 'fingerprint', level: 'e2ae', indication: 'inferred-from-registration' };
  }
  return { mode: 'fingerprint', level: 'unverified', indication: 'none' };
}
