{
  image: {
    repository: 'nginx',
    tag: '1.25',  // upgraded by a bot
  },
}
