/** The parts of the package that Bellman uses. The package has no typings. */
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
