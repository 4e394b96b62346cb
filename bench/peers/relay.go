// Go's net/http and gorilla/websocket: a goroutine a connection and one a stream, one frame a delta.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{
	Subprotocols: []string{"millrace.v1"}, ReadBufferSize: 1024, WriteBufferSize: 1024,
	WriteBufferPool: &sync.Pool{},
}

var client = http.Client{Transport: &http.Transport{
	MaxIdleConnsPerHost: 2048, DisableCompression: true, ReadBufferSize: 4096, WriteBufferSize: 4096,
}}

type session struct {
	socket *websocket.Conn
	mutex  sync.Mutex
	seq    int
}

type delta struct {
	Type     string `json:"type"`
	Seq      int    `json:"seq"`
	Response string `json:"response"`
	Index    int    `json:"index"`
	Kind     string `json:"kind"`
	Text     string `json:"text"`
}

type message struct {
	Type    string          `json:"type"`
	ID      string          `json:"id"`
	Input   string          `json:"input"`
	Options json.RawMessage `json:"options"`
}

func id() string {
	random := make([]byte, 8)
	rand.Read(random)
	return hex.EncodeToString(random)
}

func (s *session) send(value func(seq int) any) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.seq++
	return s.socket.WriteJSON(value(s.seq))
}

func (s *session) relay(ctx context.Context, m message) {
	response := "r_" + id()
	s.send(func(seq int) any {
		return map[string]any{"type": "message", "seq": seq, "id": m.ID, "input": m.Input}
	})
	s.send(func(seq int) any {
		return map[string]any{"type": "response", "seq": seq, "response": response, "message": m.ID,
			"model": "", "status": "in_progress"}
	})
	var options struct {
		Model    string            `json:"model"`
		Metadata map[string]string `json:"metadata"`
	}
	json.Unmarshal(m.Options, &options)
	body, _ := json.Marshal(map[string]any{"model": options.Model, "input": m.Input, "stream": true,
		"metadata": options.Metadata})
	request, _ := http.NewRequestWithContext(ctx, "POST", os.Getenv("UPSTREAM")+"/responses", bytes.NewReader(body))
	request.Header.Set("content-type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	status := "failed"
	var text strings.Builder
	lines := bufio.NewReaderSize(answer.Body, 4096)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		isData := bytes.HasPrefix(line, []byte("data: {"))
		if !isData {
			continue
		}
		var event struct {
			Type  string `json:"type"`
			Index int    `json:"output_index"`
			Delta string `json:"delta"`
		}
		if json.Unmarshal(line[6:], &event) != nil {
			continue
		}
		switch event.Type {
		case "response.output_text.delta":
			text.WriteString(event.Delta)
			s.send(func(seq int) any {
				return delta{"delta", seq, response, event.Index, "text", event.Delta}
			})
		case "response.completed", "response.incomplete", "response.failed":
			status = event.Type[9:]
		}
	}
	sum := sha256.Sum256([]byte(text.String()))
	s.send(func(seq int) any {
		return map[string]any{"type": "complete", "seq": seq, "response": response, "message": m.ID,
			"status": status, "text_bytes": text.Len(), "text_sha256": hex.EncodeToString(sum[:])}
	})
}

func chat(writer http.ResponseWriter, request *http.Request) {
	socket, err := upgrader.Upgrade(writer, request, nil)
	if err != nil {
		return
	}
	defer socket.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &session{socket: socket}
	for {
		_, frame, err := socket.ReadMessage()
		if err != nil {
			return
		}
		for _, line := range bytes.Split(frame, []byte("\n")) {
			var m message
			if json.Unmarshal(line, &m) != nil {
				return
			}
			switch m.Type {
			case "hello":
				s.mutex.Lock()
				socket.WriteJSON(map[string]any{"type": "ready", "session": id(), "epoch": "1", "seq": 0,
					"resume_token": "none", "expires_in_s": 60, "recovered": false,
					"limits": map[string]int{}, "heartbeat_s": 25})
				s.mutex.Unlock()
			case "message":
				go s.relay(ctx, m)
			}
		}
	}
}

func main() {
	http.HandleFunc("/v1/chat", chat)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("go on http://%s\n", listener.Addr())
	http.Serve(listener, nil)
}
