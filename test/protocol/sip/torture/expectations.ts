/** What the answer of this user agent is: a status, nothing (it is dropped), or what the application makes of it. */
export type Answer = number | 'none' | 'invite' | 'message';

export interface Expectation {
  readonly clause: string;
  readonly name: string;
  /** First 16 digits of its SHA-256 in the archive of appendix A. */
  readonly sha256: string;
  /** `accepted`, or the status that the parser's refusal hints at. */
  readonly parser: 'accepted' | number;
  /** To the octets as they are, in a datagram. Requests to `example.com` are not for us: 404, where nothing comes before that. */
  readonly exact: Answer;
  /** To the same with a Request-URI that is ours. */
  readonly addressed: Answer;
  /** Where a stream makes a difference: it cannot be framed any further, or more octets have to come. */
  readonly stream?: 'closed' | 'waits';
}

function row(
  clause: string,
  name: string,
  sha256: string,
  parser: Expectation['parser'],
  exact: Answer,
  addressed: Answer = exact,
  stream?: 'closed' | 'waits',
): Expectation {
  return { clause, name, sha256, parser, exact, addressed, ...(stream === undefined ? {} : { stream }) };
}

export const expectations: readonly Expectation[] = [
  // Valid: every one is parsed. wsinv has a tag in To, and there is no such dialog.
  row('3.1.1.1', 'wsinv', 'd6f6cdee99cd0a1f', 'accepted', 404, 481),
  row('3.1.1.2', 'intmeth', 'b957a8292c1c0a98', 'accepted', 501),
  row('3.1.1.3', 'esc01', 'be3a316d4ce5f69c', 'accepted', 404, 'invite'),
  // An endpoint is no registrar.
  row('3.1.1.4', 'escnull', '263fe2ecd12a5ccb', 'accepted', 404, 405),
  row('3.1.1.5', 'esc02', '9a9c59449f00327b', 'accepted', 501),
  row('3.1.1.6', 'lwsdisp', 'd1b36b6316c12824', 'accepted', 404, 200),
  row('3.1.1.7', 'longreq', '185739292bc67676', 'accepted', 404, 'invite'),
  row('3.1.1.8', 'dblreq', 'a6be48426565c2a7', 'accepted', 404, 405),
  row('3.1.1.9', 'semiuri', '87bbaed6b4b354db', 'accepted', 404, 200),
  row('3.1.1.10', 'transports', '33b4553a3b941812', 'accepted', 404, 200),
  row('3.1.1.11', 'mpart01', '92147c8e24997bac', 'accepted', 404, 'message'),
  // Responses that nobody asked for.
  row('3.1.1.12', 'unreason', '4f939d6ebf4817ee', 'accepted', 'none'),
  row('3.1.1.13', 'noreason', '07e11e470a69fffa', 'accepted', 'none'),
  // Invalid.
  row('3.1.2.1', 'badinv01', '9ee2b88f2e0b5a9e', 400, 400),
  row('3.1.2.2', 'clerr', 'd9da629086a38df4', 400, 400, 400, 'waits'),
  row('3.1.2.3', 'ncl', '7ea6538edc1f054f', 400, 400, 400, 'closed'),
  row('3.1.2.4', 'scalar02', '53158177326568e9', 400, 400),
  row('3.1.2.5', 'scalarlg', '0957eca31737e359', 400, 'none'),
  row('3.1.2.6', 'quotbal', 'e61978a2ea359fc6', 400, 400),
  row('3.1.2.7', 'ltgtruri', 'bcacb2dc17610e8c', 400, 400),
  row('3.1.2.8', 'lwsruri', '3e22ceeca585ad23', 400, 400),
  row('3.1.2.9', 'lwsstart', 'f884e5626c6c5b12', 400, 400),
  row('3.1.2.10', 'trws', '64ae20694026e28c', 400, 400),
  row('3.1.2.11', 'escruri', 'c3cf30af13a9d107', 'accepted', 400),
  // The Date header is not used, so what it says does not matter.
  row('3.1.2.12', 'baddate', '1208a6e3e0c8a8c3', 'accepted', 404, 'invite'),
  // What only a registrar or SIP.js looks into.
  row('3.1.2.13', 'regbadct', '575d27530275814c', 'accepted', 400),
  row('3.1.2.14', 'badaspec', 'f8f6e2f4247287b0', 'accepted', 400),
  row('3.1.2.15', 'baddn', '', 'accepted', 400),
  row('3.1.2.16', 'badvers', '037d702d19e934bf', 505, 505),
  row('3.1.2.17', 'mismatch01', 'a2c285636e451e75', 400, 400),
  row('3.1.2.18', 'mismatch02', '01b287f9a9c492f7', 400, 400),
  row('3.1.2.19', 'bigcode', 'f79450070975da54', 400, 'none'),
  row('3.2.1', 'badbranch', 'cb049c727f16b5ec', 'accepted', 404, 200),
  row('3.3.1', 'insuf', '1e3efd9f3b238c63', 400, 400),
  row('3.3.2', 'unkscm', '81be1a6a566c7ab5', 'accepted', 416),
  row('3.3.3', 'novelsc', '9a50a7343fcf685e', 'accepted', 416),
  row('3.3.4', 'unksm2', 'f6914409ced613ef', 'accepted', 400),
  row('3.3.5', 'bext01', '57181987c02c4f57', 'accepted', 420),
  row('3.3.6', 'invut', '9b39e824947df46f', 'accepted', 404, 415),
  row('3.3.7', 'regaut01', '885ba0488872cfc0', 'accepted', 404, 405),
  row('3.3.8', 'multi01', 'd156ab12105b4bfd', 400, 400),
  row('3.3.9', 'mcl01', '887191619bf003b7', 400, 400, 400, 'closed'),
  row('3.3.10', 'bcast', '073637c635971991', 'accepted', 'none'),
  row('3.3.11', 'zeromf', '50954ef47acca4f9', 'accepted', 404, 200),
  row('3.3.12', 'cparam01', 'dfa6b5cdb289adc6', 'accepted', 404, 405),
  row('3.3.13', 'cparam02', 'e93574215bd1d804', 'accepted', 404, 405),
  row('3.3.14', 'regescrt', 'dab4087c133348b0', 'accepted', 404, 405),
  row('3.3.15', 'sdp01', '497c5f1ced6c7b57', 'accepted', 406),
  // Without a Content-Length: all of a datagram, nothing of a stream. Without a tag in From there is no dialog: RFC 2543 is not spoken.
  row('3.4.1', 'inv2543', '76fac8afe22dee49', 'accepted', 404, 400, 'closed'),
];
