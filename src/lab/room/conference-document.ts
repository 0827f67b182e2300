import { utf8 } from '../../base/bytes.ts';
import { escapeXml } from '../../protocol/xml/index.ts';

export interface RoomUser {
  readonly entity: string;
  readonly name: string;
  readonly nickname: string | undefined;
}

/** A whole conference-info document (RFC 4575 section 5). */
export function conferenceDocument(room: string, version: number, users: readonly RoomUser[]): Uint8Array {
  const text = (value: string): string => escapeXml(value, 'conference-info');
  const written = users.map(({ entity, name, nickname }) => {
    const nick = nickname === undefined ? '' : ` nickname="${text(nickname)}"`;
    const endpoint = `<endpoint entity="${text(entity)}"><status>connected</status></endpoint>`;
    return `<user entity="${text(entity)}" state="full"${nick}><display-text>${text(name)}</display-text>${endpoint}</user>`;
  });
  return utf8(
    `<?xml version="1.0" encoding="UTF-8"?>\n<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="${text(room)}" state="full" version="${version}">` +
      `<conference-state><user-count>${users.length}</user-count></conference-state>` +
      `<users state="full">${written.join('')}</users></conference-info>`,
  );
}
