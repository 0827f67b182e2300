import type { ChatMessage } from '../chat-message.ts';
import { evidenceFacts, protectionWords, stateWords, time, type Fact } from './evidence-words.ts';
import type { ExportedAccount, ExportedAttachment, ExportScope } from './export-scope.ts';
import { escapeHtml, pageEnd, pageStart } from './html-page.ts';

/**
 * The messages to be read by people: one page that needs nothing else, runs nothing and fetches nothing. Each message stands with its
 * protection in words, and the evidence of it inside.
 */
export function* exportHtml(scope: ExportScope, attachments: readonly ExportedAttachment[] = []): Generator<string> {
  const { accounts, peer, at } = scope;
  yield pageStart(peer === undefined ? 'Messages' : `Conversation with ${peer}`);
  const whose = accounts.map(({ identity }) => bidirectional(identity)).join(', ');
  yield `<p class="about">Of ${whose}. Exported ${time(at)} by Tessera. What is said here of protection was verified by the device that received or sent each message; this page itself proves nothing.</p>\n`;
  for (const account of accounts) {
    const peers = peer === undefined ? account.messages.conversations().map((summary) => summary.peer) : [peer];
    for (const each of peers) yield* conversation(account, each, attachments);
  }
  yield pageEnd;
}

function* conversation(
  { id, identity, messages }: ExportedAccount,
  peer: string,
  attachments: readonly ExportedAttachment[],
): Generator<string> {
  yield `<section>\n<h2>${bidirectional(identity)} and ${bidirectional(peer)}</h2>\n`;
  const files = attachments.filter((file) => file.accountId === id && file.peer === peer);
  if (files.length > 0) yield `<h3>Files</h3>\n<ul class="files">\n${files.map(fileItem).join('')}</ul>\n`;
  for (const message of messages.all(peer)) yield article(message);
  yield '</section>\n';
}

function article(message: ChatMessage): string {
  const { direction, from, at, text, subject, state, problem, imported, recipients = [] } = message;
  const evidence = imported === undefined ? message.evidence : imported.evidence;
  const facts: Fact[] = [
    ...(imported === undefined
      ? []
      : [['Imported', `${time(imported.at)}: nothing of this was verified here`] as const]),
    ...(message.sentAt === undefined ? [] : [['Written, by the sender’s clock', time(message.sentAt)] as const]),
    ...recipients.map(({ address, state: reached }) => ['To', `${address}: ${stateWords[reached]}`] as const),
    ...(evidence === undefined ? [] : evidenceFacts(evidence)),
    ['Message', message.id],
  ];
  return [
    `<article class="${direction}">\n<p><span class="from">${bidirectional(from)}</span> `,
    `<time datetime="${isoTime(at)}">${time(at)}</time></p>\n`,
    subject === undefined ? '' : `<p><b>${bidirectional(subject)}</b></p>\n`,
    text === '' ? '' : `<p dir="auto">${escapeHtml(text)}</p>\n`,
    problem === undefined ? '' : `<p class="problem">${escapeHtml(problem.explanation)}</p>\n`,
    `<p class="state">${escapeHtml(stateWords[state])}</p>\n`,
    `<details>\n<summary>${escapeHtml(protectionWords(message))}</summary>\n<dl>\n`,
    ...facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${bidirectional(value)}</dd>\n`),
    '</dl>\n</details>\n</article>\n',
  ].join('');
}

function fileItem({ name, type, size, at, direction, copy }: ExportedAttachment): string {
  const shown = bidirectional(name);
  const linked = copy === undefined ? shown : `<a href="${escapeHtml(hrefOf(copy))}">${shown}</a>`;
  const octets = size === undefined ? '' : `, ${size} octets`;
  return `<li>${linked} (${escapeHtml(type)}${octets}), ${direction === 'in' ? 'received' : 'sent'} ${time(at)}</li>\n`;
}

/** A relative link and nothing else, whatever the name is. */
function hrefOf(copy: string): string {
  return `./${copy.split('/').map(encodeURIComponent).join('/')}`;
}

/** A text in another direction of writing does not turn what stands around it. */
function bidirectional(text: string): string {
  return `<bdi>${escapeHtml(text)}</bdi>`;
}

function isoTime(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}
