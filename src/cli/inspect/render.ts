import { styleText } from 'node:util';

import type { TreeNode } from '../../base/tree-reader.ts';
import type { InspectedItem } from './item.ts';
import { printable } from './lines.ts';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Puts colour on a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

export const plainPaint: Paint = (_style, text) => text;
export const colourPaint: Paint = (style, text) => styleText(style, text, { validateStream: false });

const maxShownCharacters = 64;

/**
 * An item and everything inside it, as lines for people. Values that are long are cut: `--json` has them whole.
 * Nothing of the input reaches the terminal as a control character.
 */
export function renderItem(item: InspectedItem, paint: Paint, indent = ''): string[] {
  return renderLines(item, (style, text) => paint(style, printable(text)), indent);
}

function renderLines(item: InspectedItem, paint: Paint, indent: string): string[] {
  const lines = [
    `${paint('bold', item.format)}, ${item.octets} octets (${printable(item.where)})`,
    paint('dim', 'offset length'),
    ...(item.tree.children ?? []).flatMap((node) => renderNode(node, 0, paint)),
    ...item.stops.map(({ offset, field, problem, expected }) => {
      const wanted = expected === undefined ? '' : `; expected ${expected}`;
      return paint('red', `Stopped at offset ${offset}, ${field}: ${problem}${wanted}`);
    }),
    ...(item.refusal === undefined ? [] : [paint('yellow', `The strict codec refuses it: ${item.refusal}`)]),
    ...(item.findings ?? []).map(({ subject, result, detail }) => {
      const style = { verified: 'green', deciphered: 'green', failed: 'red', 'not checked': 'yellow' } as const;
      return `${paint(style[result], result.padEnd(11))} ${printable(`${subject}: ${detail}`)}`;
    }),
  ].map((line) => indent + line);
  return [...lines, ...item.contains.flatMap((part) => ['', ...renderLines(part, paint, `${indent}  `)])];
}

function renderNode(node: TreeNode, depth: number, paint: Paint): string[] {
  const place = `${String(node.offset).padStart(6)} ${String(node.length).padStart(6)}`;
  const name = node.children === undefined ? printable(node.name) : paint('bold', node.name);
  const value = node.value === undefined || node.value === '' ? '' : ` ${paint('cyan', shortened(String(node.value)))}`;
  const meaning = node.meaning === undefined ? '' : ` (${printable(node.meaning)})`;
  const line = `${paint('dim', place)}  ${'  '.repeat(depth)}${name}${value}${meaning}`;
  return [line, ...(node.children ?? []).flatMap((child) => renderNode(child, depth + 1, paint))];
}

const shortened = (value: string): string =>
  value.length <= maxShownCharacters ? value : `${value.slice(0, maxShownCharacters)}… (${value.length} characters)`;

/** True when everything in the item, and inside it, could be read. */
export function isWhole(item: InspectedItem): boolean {
  return item.stops.length === 0 && item.contains.every(isWhole);
}
