/** The part of the package that is used; it has no typings of its own. */
declare module 'raw-socket' {
  interface Socket {
    setOption(level: number, option: number, value: Buffer, length: number): void;
    pauseRecv(): void;
    on(event: 'error', listener: (error: Error) => void): void;
    close(): void;
  }
  const raw: {
    readonly AddressFamily: { readonly IPv6: number };
    createSocket(options: { addressFamily: number; protocol: number; bufferSize: number }): Socket;
  };
  export default raw;
}
