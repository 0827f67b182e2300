import { expect, it } from 'vitest';
import { decodeMessage, encodeErrorMessage } from '../../../src/protocol/mikey/index.ts';
import { alice, answered, bob, hand, makeKms, obtain, receive, request, resolving, start } from './parties.ts';

const minutes = 60_000;

it('an answer proves the time of the KMS, to who asked and nobody else', async () => {
  const asked = request(alice);
  const answer = answered(await makeKms().handleTicketRequest(asked.message, start + 2 * minutes));
  expect(asked.answerTime(answer)).toBe(start + 2 * minutes);
  expect(request(alice).answerTime(answer)).toBeUndefined();
  for (let at = 0; at < answer.length; at += 7) {
    expect(asked.answerTime(answer.with(at, (answer[at] ?? 0) ^ 1))).toBeUndefined();
  }
  const resolve = resolving(receive(hand(await obtain(makeKms(), alice), alice, bob.identity).message, bob), bob);
  const resolved = answered(await makeKms().handleTicketResolve(resolve.message, start - 2 * minutes));
  expect(resolve.answerTime(resolved)).toBe(start - 2 * minutes);
});

it('so does an Error for a question that was made at another time; one without a MAC proves nothing', async () => {
  const asked = request(alice);
  const outcome = await makeKms().handleTicketRequest(asked.message, start + 20 * minutes);
  if (outcome.outcome !== 'refused') throw new Error(outcome.outcome);
  expect(asked.answerTime(outcome.message)).toBe(start + 20 * minutes);
  expect(asked.answerTime(outcome.message.with(12, 0))).toBeUndefined();
  const { csbId } = decodeMessage(asked.message).header;
  const bare = encodeErrorMessage({ csbId, prf: 1, errorNumbers: [1], now: start + 20 * minutes });
  expect(asked.answerTime(bare)).toBeUndefined();
});
