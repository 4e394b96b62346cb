/// Further upstreams beside `upstream`, which is the first of them and is named `primary`.
package struct FallbackConfiguration: Sendable {
    /// The name that `upstream` has among the others.
    package static let primary = "primary"

    /// One further upstream.
    package struct Upstream: Sendable {
        package let name: String
        /// Without a slash at its end.
        package let baseURL: String
        package let apiKey: Secret?
        /// 0 shares the work with the primary; higher ones are tried later.
        package let rank: Int
        package let weight: Int
    }

    /// One model under another name.
    package struct ModelName: Sendable, Equatable {
        package let upstream: String
        /// The model that was asked for; `*` is every other one.
        package let model: String
        package let replacement: String
    }

    /// In the order of their names.
    package let upstreams: [Upstream]
    /// The primary's part of the work among its equals.
    package let primaryWeight: Int
    package let models: [ModelName]
    /// How often one answer may go on at another upstream after a break.
    package let seams: Int
    /// As written, for the rules between keys.
    let equals: [String]
    let order: [String]
    let namesWithKeys: [String]
    let namesWithWeights: [String]

    init(_ keys: inout ConfigurationReader) {
        keys.begin(
            "fallback", "Further upstreams, for the time when the first one fails or is full.")
        let urls = keys.map(
            "urls", .upstreamName, .url, atMost: 15,
            "Further upstreams: a name, and the URL of its API up to and without /responses. The "
                + "section upstream is called primary; its other keys hold for all.")
        let equals = keys.list(
            "equals", .upstreamName, atMost: 15,
            "Names of upstreams that share the work with the primary: of two at random, the one "
                + "with less in flight is taken.")
        let order = keys.list(
            "order", .upstreamName, atMost: 15,
            "Names of the others, in the order in which they are tried before the first output.")
        let apiKeys = keys.map(
            "api_keys", .upstreamName, .token, atMost: 15,
            "Their keys, by name. Better set by the environment.", .secret)
        let weights = keys.map(
            "weights", .upstreamName, .weight, atMost: 16,
            "Their parts of the work among equals, by name, primary included. Unset: 1.")
        models = keys.map(
            "models", .upstreamModel, .line, atMost: 256,
            "What a model is called at an upstream: NAME/MODEL and the other name. NAME/* stands "
                + "for every model that is not listed."
        ).compactMap { pair in
            let name = pair.name.prefix { $0 != "/" }
            return ModelName(
                upstream: String(name), model: String(pair.name.dropFirst(name.count + 1)),
                replacement: pair.value)
        }
        seams = keys.integer(
            "seams", in: 0...8, default: 0,
            "How often an answer that breaks off in its text goes on at an upstream that was not "
                + "tried, from the text so far; marked for clients. 0: it ends as failed.")
        func weight(_ name: String) -> Int {
            weights.first { $0.name == name }.flatMap { Int($0.value) } ?? 1
        }
        upstreams = urls.map { pair in
            var url = pair.value
            while url.hasSuffix("/") { url.removeLast() }
            let rank =
                equals.contains(pair.name)
                ? 0 : 1 + (order.firstIndex(of: pair.name) ?? order.count)
            return Upstream(
                name: pair.name, baseURL: url,
                apiKey: apiKeys.first { $0.name == pair.name }.map { Secret($0.value) },
                rank: rank, weight: weight(pair.name))
        }
        primaryWeight = weight(Self.primary)
        self.equals = equals
        self.order = order
        namesWithKeys = apiKeys.map(\.name)
        namesWithWeights = weights.map(\.name)
    }
}
