// Crawl a site with Colly: 32 at once, the pages as JSON lines; Colly keeps its queue in memory.
//
// Usage: colly SEED RESULT_DIR
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gocolly/colly/v2"
)

type page struct {
	URL   string   `json:"url"`
	Title string   `json:"title"`
	Body  string   `json:"body"`
	Links []string `json:"links"`
}

func main() {
	seed, result := os.Args[1], os.Args[2]
	prefix := seed[:strings.LastIndex(seed, "/")+1]
	file, err := os.Create(filepath.Join(result, "pages.jsonl"))
	if err != nil {
		log.Fatal(err)
	}
	buffer := bufio.NewWriter(file)
	var lock sync.Mutex
	lines := json.NewEncoder(buffer)

	c := colly.NewCollector(colly.Async(true), colly.MaxBodySize(0))
	if err := c.Limit(&colly.LimitRule{DomainGlob: "*", Parallelism: 32}); err != nil {
		log.Fatal(err)
	}
	c.OnHTML("html", func(e *colly.HTMLElement) {
		found := page{URL: e.Request.URL.String(), Title: e.DOM.Find("title").First().Text(),
			Body: string(e.Response.Body)}
		e.ForEach("a[href]", func(_ int, a *colly.HTMLElement) {
			// Colly would fetch every #fragment as a page of its own.
			link, _, _ := strings.Cut(e.Request.AbsoluteURL(a.Attr("href")), "#")
			found.Links = append(found.Links, link)
		})
		lock.Lock()
		err := lines.Encode(found)
		lock.Unlock()
		if err != nil {
			log.Fatal(err)
		}
		for _, link := range found.Links {
			if strings.HasPrefix(link, prefix) {
				_ = e.Request.Visit(link) // an error here says that it was visited before
			}
		}
	})
	if err := c.Visit(seed); err != nil {
		log.Fatal(err)
	}
	c.Wait()
	if err := buffer.Flush(); err != nil {
		log.Fatal(err)
	}
}
