#!/usr/bin/env python3
"""Submits a picture to Juggler: submit.py FILE picture.jpg, the file's first line being the broker's address, a secret."""
import json, mimetypes, sys, uuid
import pika

address, picture = sys.argv[1:3]
with open(address) as file:
    url = file.readline().strip()
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
replies = channel.queue_declare("", exclusive=True).method.queue
with open(picture, "rb") as file:
    channel.basic_publish(
        "juggler.submit", "juggler.tasks", file.read(), mandatory=True,
        properties=pika.BasicProperties(
            content_type=mimetypes.guess_type(picture)[0], message_id=str(uuid.uuid4()), delivery_mode=2,
            reply_to=replies, headers={"min_accuracy": 75, "deadline_ms": 5000}))
for _, _, body in channel.consume(replies, auto_ack=True, inactivity_timeout=30):
    print(json.dumps(json.loads(body), indent=2) if body else "no outcome within 30 s")
    sys.exit(0 if body and json.loads(body)["outcome"] == "completed" else 1)
