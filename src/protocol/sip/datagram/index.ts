export {
  DatagramTransactions,
  type DatagramAction,
  type DatagramEvent,
  type DatagramTransactionsOptions,
} from './datagram-transactions.ts';
