import { DatagramTransactions, type DatagramTransactionsOptions } from '../../../../src/protocol/sip/datagram/index.ts';
import { copiedHeaders, SipMessage } from '../../../../src/protocol/sip/message.ts';

export const timers = { t1: 500, t2: 4_000, t4: 5_000 };

export function machine(more: Partial<DatagramTransactionsOptions> = {}): DatagramTransactions {
  return new DatagramTransactions({
    timers,
    clientTransactions: 100,
    serverMemory: { transactions: 100, octets: 100_000 },
    ...more,
  });
}

export function request(method: string, branch = 'z9hG4bK1', number = 1): SipMessage {
  const message = SipMessage.request(method, 'sip:bob@lab.test');
  message.headers
    .add('Via', `SIP/2.0/UDP 192.0.2.1:5060;branch=${branch}`)
    .add('From', '<sip:alice@lab.test>;tag=a')
    .add('To', '<sip:bob@lab.test>')
    .add('Call-ID', 'call-1')
    .add('CSeq', `${number} ${method}`);
  return message;
}

export function response(to: SipMessage, status: number): SipMessage {
  const message = SipMessage.response(status, 'Answer');
  for (const name of copiedHeaders) {
    for (const value of to.headers.getAll(name)) message.headers.add(name, value);
  }
  return message;
}

/** The times, from the start, at which the machine sends by itself until it has nothing to do. */
export function sendTimes(subject: DatagramTransactions, start: number): number[] {
  const times: number[] = [];
  for (let next = subject.nextDue(); next !== undefined && next < start + 400_000; next = subject.nextDue()) {
    for (const action of subject.handle({ kind: 'time' }, next)) if (action.kind === 'send') times.push(next - start);
  }
  return times;
}
