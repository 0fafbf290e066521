// Bun's own publish, the fastest that a scripting language offers; measured where `bun` is installed.
let number = 0;
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => server.upgrade(request, { data: `guest-${++number}: ` }) ? undefined : new Response("chat", { status: 426 }),
  websocket: {
    perMessageDeflate: false,
    sendPings: false,
    idleTimeout: 0,
    open(socket) {
      socket.subscribe("lobby");
      socket.send("welcome");
    },
    message: (socket, text) => server.publish("lobby", socket.data + text),
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
