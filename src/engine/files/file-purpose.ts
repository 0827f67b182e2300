import { fileTransferLines, type FileRange, type FileSelector } from '../../protocol/sdp/index.ts';
import { readFileTransfer } from '../../protocol/sdp/index.ts';
import type { MessageSink } from '../msrp/sink-writer.ts';
import { refuse } from '../refusal.ts';
import type { RemoteStream } from '../sessions/stream-description.ts';
import type { StreamPurpose } from '../sessions/stream-purpose.ts';
import type { RelatedPart } from '../sip/index.ts';

/** MSRP statuses for what a stream of a file does not take: a second message, or anything from its receiver. */
const noMore = 413;
const onlyOneWay = 403;

export interface FileLines {
  readonly selector: FileSelector;
  readonly transferId: string;
  /** Octets of the file that are wanted or sent, where it is not all of it. */
  readonly range: FileRange | undefined;
  /** The date of the file, for an offer of its sender. */
  readonly modifiedAt?: number;
}

/** A stream over which we send one file. @param icon a preview, which travels beside the SDP. */
export function sendPurpose(lines: FileLines, icon?: RelatedPart): StreamPurpose {
  return {
    ...(icon === undefined ? {} : { related: [icon] }),
    direction: 'sendonly',
    acceptTypes: ['message/cpim'],
    acceptWrappedTypes: ['*'],
    more: sdpLines(lines, 'attachment', icon?.contentId),
    channel: { openSink: () => onlyOneWay },
    checkAnswer: (remote) => checkFileAnswer(remote, lines),
  };
}

/** A stream over which we receive one file; its first message is the file. */
export function receivePurpose(lines: FileLines, openSink: (isWrapped: boolean) => MessageSink): StreamPurpose {
  let isTaken = false;
  return {
    direction: 'recvonly',
    acceptTypes: ['message/cpim', '*'],
    acceptWrappedTypes: ['*'],
    // RFC 5547 section 8.3.1: the answerer MUST NOT include a disposition; 8.2.2 has no use for it either.
    more: sdpLines(lines, 'render'),
    channel: {
      openSink: ({ contentType }) => {
        if (isTaken) return noMore;
        isTaken = true;
        return openSink(contentType.toLowerCase().startsWith('message/cpim'));
      },
    },
    checkAnswer: (remote) => checkFileAnswer(remote, lines),
  };
}

function sdpLines(
  { selector, transferId, range, modifiedAt }: FileLines,
  disposition: string,
  icon?: string,
): StreamPurpose['more'] {
  const dates = modifiedAt === undefined ? {} : { modification: dateTime(modifiedAt) };
  return fileTransferLines({ selector, transferId, disposition, dates, icon, range });
}

/** RFC 5322 with the numeric zone that RFC 5547 wants. */
function dateTime(at: number): string {
  return new Date(at).toUTCString().replace('GMT', '+0000');
}

/** RFC 5547 section 8.3: a peer that knows files says so, for this very transfer, and takes the range as it was offered. */
function checkFileAnswer({ section }: RemoteStream, { transferId, range }: FileLines): void {
  const answered = readFileTransfer(section);
  if (answered === undefined) {
    throw refuse('peer-incompatible', 'session', { happened: 'The other side does not know how files are sent' });
  }
  if (answered.transferId !== undefined && answered.transferId !== transferId) {
    throw refuse('peer-incompatible', 'session', { happened: 'The other side answered about another file' });
  }
  if (range !== undefined && answered.range?.start !== range.start) {
    throw refuse('peer-incompatible', 'session', { happened: 'The other side cannot go on in the middle of a file' });
  }
}
