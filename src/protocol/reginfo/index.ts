export {
  readReginfo,
  reginfoContentType,
  type ContactEvent,
  type ReginfoDocument,
  type RegisteredContact,
  type RegistrationElement,
} from './reginfo.ts';
export { RegistrationTable, type TableChange } from './registration-table.ts';
