// What goes wrong between a client and a server, as answers for in-process servers. Rule: a fault is what comes over the wire, nothing else.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Answers in the server's place. */
export type Fault = (response: ServerResponse, request: IncomingMessage) => void;

/** A fixed answer. */
export function answers(status: number, headers: Record<string, string> = {}, body: string | Buffer = ''): Fault {
  return (response) => response.writeHead(status, headers).end(body);
}

/** Announces a body and stops half-way. */
export const truncates: Fault = (response) => {
  response.writeHead(200, { 'content-length': '1000', 'content-type': 'application/json' });
  response.write('{"half":', () => response.destroy());
};

/** Sends for as long as somebody reads. */
export const neverEnds: Fault = (response) => {
  response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' });
  const send = (): void => {
    while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, ' ')));
  };
  response.on('drain', send);
  send();
};
