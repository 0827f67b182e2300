import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import { openAuthEnveloped, readAuthEnveloped } from '../../../src/protocol/cms/index.ts';
import { cpimLimits, decodeCpim, encodeCpim } from '../../../src/protocol/cpim/index.ts';
import { decodeImdn, encodeImdn } from '../../../src/protocol/imdn/index.ts';
import {
  decodeMimeEntity,
  decodeMultipart,
  encodeMimeEntity,
  formatMediaType,
  parseMediaType,
  type MediaType,
} from '../../../src/protocol/mime/index.ts';
import {
  decodeFrames,
  encodeFrame,
  MsrpFramer,
  parseByteRange,
  parseMsrpUri,
  formatMsrpUri,
} from '../../../src/protocol/msrp/index.ts';
import {
  defaultSdpLimits,
  formatSdp,
  isMsrpMedia,
  parseSdp,
  readFingerprint,
  readKeyMgmt,
  readMsrpMedia,
} from '../../../src/protocol/sdp/index.ts';
import { readReginfo } from '../../../src/protocol/reginfo/index.ts';
import { readAuthParams } from '../../../src/protocol/digest/auth-params.ts';
import {
  readAuthenticationInfo,
  readChallenge,
  readNextNonce,
  selectChallenge,
} from '../../../src/protocol/digest/digest.ts';
import {
  checkMandatoryHeaders,
  parseCSeq,
  parseNameAddress,
  parseParameters,
  parseSipUri,
  parseVia,
  splitHeaderList,
} from '../../../src/protocol/sip/headers.ts';
import { assertedIdentity, kmsUserIdentity } from '../../../src/protocol/sip/identities.ts';
import { answerableHeaders, parseSipMessage, serialiseSipMessage } from '../../../src/protocol/sip/message.ts';
import { readSecurityMechanisms } from '../../../src/protocol/sip/sec-agree.ts';
import { SipStreamFramer } from '../../../src/protocol/sip/stream-framer.ts';
import { asText, words } from '../mutate.ts';
import { ensure, ensureSame, parsed, written, type FuzzTarget } from '../target.ts';
import { pieces } from './pieces.ts';
import {
  cmsSamples,
  cpimSamples,
  headerTokens,
  imdnSamples,
  kek,
  msrpSamples,
  multipartSamples,
  sdpSamples,
  sipSamples,
} from './samples.ts';

/** What a framer says about a stream, bodies joined: it must not depend on how the stream was cut. */
function msrpEvents(stream: readonly Uint8Array[]): readonly unknown[] {
  const framer = new MsrpFramer({ chunkOctets: 32 * 1024 });
  const events: unknown[] = [];
  let body: Uint8Array[] = [];
  try {
    for (const piece of stream) {
      framer.push(piece);
      for (let event = framer.next(); event !== undefined; event = framer.next()) {
        if (event.type === 'body') {
          body.push(event.bytes);
          continue;
        }
        if (event.type === 'end') events.push(concatBytes(...body));
        body = [];
        events.push(event);
      }
    }
  } catch (error) {
    parsed(() => {
      throw error;
    });
    events.push('refused');
  }
  return events;
}

const msrp: FuzzTarget = {
  name: 'msrp',
  corpus: [...msrpSamples, concatBytes(...msrpSamples)],
  tokens: headerTokens,
  check: (input, random) => {
    ensureSame(msrpEvents(pieces(input, random)), msrpEvents([input]), 'another result when the stream is cut');
    const frames = parsed(() => decodeFrames(input));
    for (const frame of frames ?? []) {
      const again = written(() => encodeFrame(frame));
      if (again !== undefined) ensureSame(decodeFrames(again), [frame], 'another frame after writing and reading');
    }
  },
};

function sipFrames(stream: readonly Uint8Array[], side: 'client' | 'server'): readonly unknown[] {
  const framer = new SipStreamFramer({ side });
  return stream
    .flatMap((piece) => framer.push(piece))
    .map((frame) => (frame.kind === 'error' ? { kind: 'error', field: frame.error.field } : frame));
}

const sipStream: FuzzTarget = {
  name: 'sip-stream',
  corpus: [...sipSamples, concatBytes(...sipSamples.slice(0, 3)), ...words('\r\n\r\n\r\n')],
  tokens: headerTokens,
  check: (input, random) => {
    const side = random.pick(['client', 'server'] as const);
    const whole = sipFrames([input], side);
    ensureSame(sipFrames(pieces(input, random), side), whole, 'another result when the stream is cut');
  },
};

const sipMessage: FuzzTarget = {
  name: 'sip-message',
  corpus: sipSamples,
  tokens: headerTokens,
  check: (input) => {
    answerableHeaders(input);
    const message = parsed(() => parseSipMessage(input));
    if (message === undefined) return;
    parsed(() => checkMandatoryHeaders(message));
    const again = serialiseSipMessage(message);
    ensureSame(serialiseSipMessage(parseSipMessage(again)), again, 'another message after writing and reading');
  },
};

const readers: readonly ((text: string) => unknown)[] = [
  (text) => readAuthParams(text, 'fuzz'),
  readChallenge,
  (text) => selectChallenge([text]),
  readNextNonce,
  readAuthenticationInfo,
  (text) => readReginfo(utf8(text)),
  splitHeaderList,
  parseParameters,
  parseNameAddress,
  parseVia,
  parseCSeq,
  parseSipUri,
  (text) => assertedIdentity([text]),
  kmsUserIdentity,
  (text) => readSecurityMechanisms([text]),
  (text) => {
    const uri = parseMsrpUri(text);
    const again = written(() => formatMsrpUri(uri));
    if (again !== undefined) ensureSame(parseMsrpUri(again), uri, 'another MSRP URI after writing and reading');
  },
  parseByteRange,
  readFingerprint,
  (text) => {
    const media = parseMediaType(text);
    const again = written(() => formatMediaType(media.type, Object.fromEntries(media.parameters)));
    if (again === undefined) return;
    // Parameters have no order.
    const sorted = ({ type, parameters }: MediaType): unknown => [type, [...parameters].sort()];
    ensureSame(sorted(parseMediaType(again)), sorted(media), 'another media type after writing and reading');
  },
];

const headerValues: FuzzTarget = {
  name: 'header-values',
  corpus: words(
    'Digest realm="x", nonce="abc==", algorithm=SHA-256, qop="auth,auth-int", opaque="\\"", stale=false',
    'Digest nextnonce="abc", rspauth="00", cnonce="1", nc=00000001',
    '"Alice, \\"A\\"" <sip:alice:pw@[2001:db8::1]:5061;transport=tls?h=v>;tag=1;lr',
    '<tel:+1-555-0100;phone-context=example.com>, <sip:a@b>',
    'SIP/2.0/TLS [2001:db8::1]:5061;branch=z9hG4bK1;rport=5;received=::1',
    '17 MESSAGE',
    '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full"><registration aor="sip:a@b" id="1" state="active"><contact id="2" state="active" event="registered"><uri>sip:a@c</uri></contact></registration></reginfo>',
    'tls;q=0.1, ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1;d-alg="a\\"b"',
    'msrps://user@[2001:db8::1]:9/kjhd37s2s20w2a;tcp;x=y',
    '1-25/*',
    'sha-256 AB:CD:EF:01',
    'multipart/mixed;boundary="a \\"b";x=y',
  ),
  tokens: headerTokens,
  check: (input) => {
    const text = asText(input) ?? new TextDecoder().decode(input);
    for (const read of readers) parsed(() => read(text));
  },
};

const sdp: FuzzTarget = {
  name: 'sdp',
  corpus: sdpSamples,
  tokens: headerTokens,
  check: (input) => {
    const description = parsed(() => parseSdp(input));
    if (description === undefined) return;
    const again = formatSdp(description);
    // Written with CRLF, an input that had LF may pass the limit.
    if (again.length <= defaultSdpLimits.octets) {
      ensureSame(parseSdp(again), description, 'another description after writing and reading');
    }
    for (const section of description.media) {
      parsed(() => readKeyMgmt(section, description));
      if (isMsrpMedia(section)) parsed(() => readMsrpMedia(section, description));
    }
  },
};

const cpim: FuzzTarget = {
  name: 'cpim',
  corpus: cpimSamples,
  tokens: headerTokens,
  check: (input) => {
    const message = parsed(() => decodeCpim(input));
    if (message === undefined) return;
    const again = written(() => encodeCpim(message));
    // Escapes and declared prefixes make headers longer, so that they may pass the limit.
    if (again !== undefined && input.length < cpimLimits.maxHeaderOctets / 8)
      ensureSame(encodeCpim(decodeCpim(again)), again, 'another message after writing and reading');
  },
};

const mime: FuzzTarget = {
  name: 'mime',
  corpus: multipartSamples.map(({ body }) => body),
  tokens: [...headerTokens, ...words(multipartSamples[0]!.contentType.split('=')[1] ?? '')],
  check: (input) => {
    for (const { contentType } of multipartSamples) {
      for (const part of parsed(() => decodeMultipart(parseMediaType(contentType), input)) ?? []) {
        const again = written(() => encodeMimeEntity(part));
        if (again === undefined) continue;
        ensureSame(encodeMimeEntity(decodeMimeEntity(again, 'fuzz')), again, 'another part after writing and reading');
      }
    }
    parsed(() => decodeMimeEntity(input, 'fuzz'));
  },
};

const cms: FuzzTarget = {
  name: 'cms',
  corpus: cmsSamples,
  tokens: [Uint8Array.of(0x30, 0x80), Uint8Array.of(0x04, 0x00), Uint8Array.of(0xa2, 0x03), Uint8Array.of(0x02, 1, 0)],
  check: (input) => {
    const parts = parsed(() => readAuthEnveloped(input));
    if (parts === undefined) return;
    const opened = parsed(() => openAuthEnveloped(input, () => kek));
    const isSample = cmsSamples.some((sample) => sample.length === input.length);
    ensure(opened === undefined || isSample, 'something opened that nobody has sealed');
  },
};

const imdn: FuzzTarget = {
  name: 'imdn',
  corpus: imdnSamples,
  tokens: headerTokens,
  check: (input) => {
    const payload = parsed(() => decodeImdn(input));
    if (payload === undefined) return;
    const again = written(() => encodeImdn(payload));
    if (again !== undefined) ensureSame(decodeImdn(again), payload, 'another notification after writing and reading');
  },
};

export const textTargets: readonly FuzzTarget[] = [
  msrp,
  sipStream,
  sipMessage,
  headerValues,
  sdp,
  cpim,
  mime,
  cms,
  imdn,
];
