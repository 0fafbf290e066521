"""Answers `!echo TEXT` in a room: each question once, whatever happens to the connection.

pip install websockets
python3 examples/bot.py ws://127.0.0.1:8080/lobby
"""

import asyncio
import json
import secrets
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def answer(url: str) -> None:
    # What the server is told after each connect: who we are, and what we have seen.
    hello = {"type": "hello", "nick": "echobot", "session": secrets.token_hex(16), "history": 0}
    answers = {}  # Those without an echo yet, by their keys.
    nick = None
    # Connects again, with growing pauses, whenever the connection is lost.
    async for socket in connect(url, subprotocols=["broadcast-chat.v1"]):
        send = lambda message: socket.send(json.dumps(message))
        try:
            async for frame in socket:
                event = json.loads(frame)
                match event["type"]:
                    case "hello":
                        await send(hello)
                    case "error" if event["code"] == "nick_taken":
                        await send(hello | {"nick": event["free"]})
                    case "welcome":
                        nick = event["nick"]
                        hello |= {"epoch": event["epoch"], "run": event["run"]}
                        if "shared" in event:  # Another history than the one we have seen.
                            hello["after"] = event["shared"]
                    case "message":
                        hello["after"] = event["id"]
                        text = event.get("text") or ""
                        if event["nick"] == nick:
                            answers.pop(event.get("key"), None)
                        elif text.startswith("!echo "):
                            # The same question has the same key, so an answer that is sent twice
                            # is stored once.
                            key = f"answer-{event['id']}"
                            answers[key] = {"type": "say", "key": key, "text": text[6:]}
                            await send(answers[key])
                    case "live":
                        hello["after"] = max(hello.get("after", 0), event["cursor"])
                        for message in list(answers.values()):
                            await send(message)
                    case "error":
                        answers.pop(event.get("key"), None)
        except ConnectionClosed:
            continue


if __name__ == "__main__":
    asyncio.run(answer(sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8080/lobby"))
