/** A node:https server that takes questions like a KMS and gives bodies of a fixed size, without looking at anything. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

const [certificateFile = '', privateKeyFile = '', requestOctets = '0', resolveOctets = '0'] = process.argv.slice(2);
const bodies = [Buffer.alloc(Number(requestOctets), 'A'), Buffer.alloc(Number(resolveOctets), 'A')];
const server = createServer(
  { cert: readFileSync(certificateFile), key: readFileSync(privateKeyFile) },
  (request, response) => {
    const body = request.url?.endsWith('ticketrequest') === true ? bodies[0] : bodies[1];
    request.on('data', () => undefined);
    request.on('end', () => {
      response.writeHead(200, { 'Content-Type': 'application/mikey', 'Content-Length': body?.length ?? 0 });
      response.end(body);
    });
  },
);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listens on https://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
