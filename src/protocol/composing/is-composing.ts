import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { childText, escapeXml, readXml } from '../xml/index.ts';

export const composingContentType = 'application/im-iscomposing+xml';

const namespace = 'urn:ietf:params:xml:ns:im-iscomposing';
const field = 'composing';
const limits = { octets: 8 * 1024, depth: 6, elements: 50 };

/** An isComposing status message (RFC 3994 section 4). */
export interface ComposingStatus {
  readonly state: 'active' | 'idle';
  /** Seconds after which an `active` that was not renewed is over; RFC 3994 3.3 takes 120 when absent. */
  readonly refresh?: number;
  /** Media type of what is being written. */
  readonly contentType?: string;
}

/** @throws ProtocolError `local` for a content type with control characters. */
export function encodeComposing({ state, refresh, contentType }: ComposingStatus): Uint8Array {
  return utf8(
    [
      '<?xml version="1.0" encoding="UTF-8"?>\r\n',
      `<isComposing xmlns="${namespace}">`,
      `<state>${state}</state>`,
      contentType === undefined ? '' : `<contenttype>${escapeXml(contentType, field)}</contenttype>`,
      refresh === undefined ? '' : `<refresh>${refresh}</refresh>`,
      '</isComposing>\r\n',
    ].join(''),
  );
}

/**
 * RFC 3994 section 4: a state that is not known counts as idle; elements of other namespaces are passed over.
 * @throws ProtocolError `malformed`, hint SIP 400.
 */
export function decodeComposing(bytes: Uint8Array): ComposingStatus {
  const root = readXml(bytes, field, limits);
  const state = childText(root, 'state');
  if (root.name !== 'isComposing' || root.namespace !== namespace || state === undefined) {
    throw new ProtocolError('malformed', 'not a status message', {
      field,
      expected: 'isComposing with a state (RFC 3994 4)',
      hint: { sip: 400 },
    });
  }
  const refreshText = childText(root, 'refresh');
  const refresh = refreshText !== undefined && /^[1-9]\d{0,8}$/.test(refreshText) ? Number(refreshText) : undefined;
  const contentType = childText(root, 'contenttype');
  return {
    state: state === 'active' ? 'active' : 'idle',
    ...(refresh === undefined ? {} : { refresh }),
    ...(contentType === undefined || contentType === '' ? {} : { contentType }),
  };
}
