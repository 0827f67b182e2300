export { formatMediaType, parseMediaType, type MediaType } from '../media-type.ts';
export {
  decodeMimeEntity,
  encodeMimeEntity,
  headerValue,
  mimeEntityLimits,
  type MimeEntity,
  type MimeHeader,
} from '../mime-entity.ts';
export { decodeMultipart, encodeMultipart, multipartLimits } from './multipart.ts';
