import { SaxesParser } from 'saxes';
import { fromUtf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';

/** One element: its name, attributes without namespaces of their own, direct text, and children in order. */
export interface XmlElement {
  readonly namespace: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Attributes that have a namespace of their own, by `namespace name`; absent when there are none. */
  readonly foreignAttributes?: Readonly<Record<string, string>>;
  /** All text directly inside, joined. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

export interface XmlLimits {
  readonly octets: number;
  readonly depth: number;
  readonly elements: number;
}

export const defaultXmlLimits: XmlLimits = { octets: 64 * 1024, depth: 16, elements: 2000 };

const xmlnsNamespace = 'http://www.w3.org/2000/xmlns/';

interface OpenElement {
  readonly namespace: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly foreignAttributes?: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
}

/**
 * Reads a whole document in UTF-8. Document types, and with them every entity of one's own, are refused.
 * @param field name of the format, for errors.
 * @throws ProtocolError `malformed`, hint SIP 400.
 */
export function readXml(bytes: Uint8Array, field: string, limits: XmlLimits = defaultXmlLimits): XmlElement {
  if (bytes.length > limits.octets) fail(field, 'too large', `at most ${limits.octets} octets`);
  const open: OpenElement[] = [];
  let root: XmlElement | undefined;
  let count = 0;
  const parser = new SaxesParser({ xmlns: true });
  const addText = (text: string): void => {
    const current = open.at(-1);
    if (current !== undefined) current.text += text;
  };
  parser.on('error', (cause) => fail(field, 'not well-formed XML', 'a well-formed document', cause));
  parser.on('doctype', () => fail(field, 'has a document type', 'no DOCTYPE'));
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('opentag', ({ uri, local, attributes }) => {
    if (++count > limits.elements) fail(field, 'too many elements', `at most ${limits.elements}`);
    if (open.length >= limits.depth) fail(field, 'too deep', `at most ${limits.depth} levels`);
    const plain = Object.values(attributes).filter((attribute) => attribute.uri === '');
    const foreign = Object.values(attributes).filter(({ uri: of }) => of !== '' && of !== xmlnsNamespace);
    open.push({
      namespace: uri,
      name: local,
      attributes: Object.fromEntries(plain.map(({ local: name, value }) => [name, value])),
      ...(foreign.length === 0
        ? {}
        : {
            foreignAttributes: Object.fromEntries(
              foreign.map(({ uri: of, local: name, value }) => [`${of} ${name}`, value]),
            ),
          }),
      children: [],
      text: '',
    });
  });
  parser.on('closetag', () => {
    const element = open.pop();
    if (element === undefined) return;
    const parent = open.at(-1);
    if (parent === undefined) root = element;
    else parent.children.push(element);
  });
  parser.write(fromUtf8(bytes, field)).close();
  return root ?? fail(field, 'empty', 'a document');
}

/** The first child of that name in the parent's own namespace. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name && child.namespace === element.namespace);
}

/** Its text without blanks around it; undefined when there is no such child. */
export function childText(element: XmlElement, name: string): string | undefined {
  return childOf(element, name)?.text.trim();
}

/** Text for an element or attribute. @throws ProtocolError `local` for control characters, which XML cannot carry. */
export function escapeXml(text: string, field: string): string {
  if (/\p{Cc}/u.test(text)) {
    throw new ProtocolError('local', 'control character', { field, expected: 'text without control characters' });
  }
  return text.replaceAll(/[&<>"]/g, (character) => escapes[character] ?? character);
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function fail(field: string, problem: string, expected: string, cause?: unknown): never {
  throw new ProtocolError('malformed', problem, {
    field,
    expected,
    hint: { sip: 400 },
    ...(cause === undefined ? {} : { cause }),
  });
}
