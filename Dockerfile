# JavaScript on Node, nothing else: no shell script starts it, no package manager is needed at run time.
ARG NODE=24.21.0

FROM node:${NODE}-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY test/support/bootstrap.mjs test/support/bundle.mjs test/support/
COPY src src
RUN node test/support/bootstrap.mjs build

FROM node:${NODE}-slim
COPY --from=build /build/dist /app
# It starts as root, to bind port 80 and to take over the folder of an older letsencrypt-dcos, and goes on as this user.
ENV NODE_ENV=production RUN_AS=1000:1000
EXPOSE 80 9000
# Hardly anything here runs often enough for an optimizing compiler to pay: without them, and without threads for them, it is
# 10 MiB smaller. The small nursery keeps an order of 100 names well below the definition's 128 MB, and so does collecting the
# garbage of a long answer before the next is read.
ENTRYPOINT ["node", "--max-semi-space-size=1", "--no-opt", "--no-maglev", "--single-threaded", "--expose-gc", "/app/main.mjs"]
