/** The one part of node-forge that the program loads: all of it would cost a small container 6 MB and half a second. */
declare module 'node-forge/lib/pem.js' {
  interface PemMessage {
    readonly type: string;
    /** DER as a binary string: one character a byte. */
    readonly body: string;
  }
  const pem: {
    decode(text: string): readonly PemMessage[];
    encode(message: PemMessage, options?: { maxline?: number }): string;
  };
  export = pem;
}
